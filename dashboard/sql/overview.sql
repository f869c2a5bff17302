-- The overview: what was played in a period, against the period before.

-- days --
-- Each date with plays.
SELECT listened_date AS day, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :first::date AND :last::date
GROUP BY listened_date
ORDER BY listened_date

-- before --
SELECT coalesce(sum(plays), 0)::bigint AS plays, coalesce(sum(ms), 0)::bigint AS ms,
       count(*) FILTER (WHERE plays > 0) AS days
FROM (
    SELECT listened_date, sum({plays}) AS plays, sum(ms) AS ms
    FROM reporting.listening_by_hour
    WHERE listener = :listener AND listened_date BETWEEN :before_first::date AND :before_last::date
    GROUP BY listened_date
) days

-- new_artists --
SELECT count(*) FILTER (WHERE first_heard_on BETWEEN :first::date AND :last::date) AS now,
       count(*) FILTER (WHERE first_heard_on BETWEEN :before_first::date AND :before_last::date) AS before
FROM reporting.artists
WHERE listener = :listener

-- course --
SELECT listened_month, artists, tracks, new_artists
FROM reporting.discovery
WHERE listener = :listener
  AND listened_month BETWEEN date_trunc('month', :first::date) AND :last::date
ORDER BY listened_month

-- last_plays --
SELECT listened_at_local, track_name, artist_name, track_id, ms, minutes_are_estimated, is_skip
FROM reporting.plays
WHERE listener = :listener
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
ORDER BY ended_at DESC, track_uri
LIMIT 8

-- gaps --
-- Open gaps within the period, as local dates.
SELECT (started_at AT TIME ZONE :zone)::date AS first,
       ((coalesce(ended_at, now()) - interval '1 microsecond') AT TIME ZONE :zone)::date AS last
FROM reporting.open_gap
WHERE listener = :listener
  AND started_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
  AND coalesce(ended_at, now()) >= (:first::date)::timestamp AT TIME ZONE :zone
ORDER BY started_at

-- open_imports --
SELECT count(*) AS uploads
FROM reporting.import_result
WHERE listener = :listener AND NOT is_complete
