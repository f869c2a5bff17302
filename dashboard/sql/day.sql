-- Every play of one date.

-- plays --
SELECT listened_at_local, track_name, artist_name, track_id, artist_id, ms,
       minutes_are_estimated, is_skip, {plays} AS counts, platform, context_uri
FROM reporting.plays
WHERE listener = :listener
  AND ended_at >= (:day::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:day::date + 1)::timestamp AT TIME ZONE :zone
ORDER BY ended_at, track_uri

-- coverage --
SELECT is_at_least, coverage
FROM reporting.listening_daily
WHERE listener = :listener AND listened_date = :day::date
