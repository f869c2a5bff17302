-- Plays of the dates from :first to :last: all, or those of an hour, a weekday and a platform.

-- newest --
-- A NULL for :most means all.
SELECT listened_at_local, track_name, artist_name, track_id, artist_id, ms,
       minutes_are_estimated, is_skip, {plays} AS counts
FROM reporting.plays
WHERE listener = :listener
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
  AND (:hour::integer IS NULL OR hour = :hour::integer)
  AND (:weekday::integer IS NULL OR weekday = :weekday::integer)
  AND (:platform::text IS NULL OR platform = :platform::text)
ORDER BY ended_at DESC, track_uri DESC
LIMIT :most::bigint

-- number --
-- Only the number, because the time of a play takes ten times as long to find.
SELECT count(*) AS plays
FROM reporting.plays
WHERE listener = :listener
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
  AND (:hour::integer IS NULL OR hour = :hour::integer)
  AND (:weekday::integer IS NULL OR weekday = :weekday::integer)
  AND (:platform::text IS NULL OR platform = :platform::text)
