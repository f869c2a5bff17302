-- The last plays of the period, and unfinished uploads.

-- last_plays --
SELECT listened_at_local, track_name, artist_name, track_id, ms, minutes_are_estimated, is_skip
FROM reporting.plays
WHERE listener = :listener
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
ORDER BY ended_at DESC, track_uri
LIMIT 8

-- open_imports --
SELECT count(*) AS uploads
FROM reporting.import_result
WHERE listener = :listener AND NOT is_complete
