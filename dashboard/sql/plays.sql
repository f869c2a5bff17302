-- Plays of the dates from :first to :last: all, or those of an hour, a weekday and a platform.

-- newest --
-- A NULL for :most means all.
SELECT listened_at_local, track_name, artist_name, track_id, artist_id, ms,
       minutes_are_estimated, is_skip, {plays} AS counts
FROM reporting.plays
WHERE listener = :listener
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
  AND (:platform::text IS NULL OR platform = :platform::text)
ORDER BY ended_at DESC, track_uri DESC
LIMIT :most::bigint

-- newest_of_hours --
-- Only hours that hold such plays are read. If the hour is a rare one, these are a small fraction.
WITH heard AS (
    SELECT listened_date, hour,
           (listened_date + hour * interval '1 hour') AT TIME ZONE :zone AS begins_at
    FROM reporting.listening_by_hour
    WHERE listener = :listener AND listened_date BETWEEN :first AND :last
      AND (:hour::integer IS NULL OR hour = :hour::integer)
      AND (:weekday::integer IS NULL OR weekday = :weekday::integer)
    ORDER BY listened_date DESC, hour DESC
    LIMIT CASE WHEN :platform::text IS NULL THEN :most::bigint END
)
SELECT play.*
FROM heard
CROSS JOIN LATERAL (
    SELECT listened_at_local, track_name, artist_name, track_id, artist_id, ms,
           minutes_are_estimated, is_skip, {plays} AS counts, ended_at, track_uri
    FROM reporting.plays
    WHERE listener = :listener AND listened_date = heard.listened_date AND hour = heard.hour
      -- Lets Postgres use the index. A clock change moves an hour by up to two.
      AND ended_at >= begins_at - interval '2 hours' AND ended_at < begins_at + interval '3 hours'
      AND (:platform::text IS NULL OR platform = :platform::text)
    ORDER BY ended_at DESC, track_uri DESC
    LIMIT :most::bigint
) play
ORDER BY ended_at DESC, track_uri DESC
LIMIT :most::bigint

-- number --
-- For a platform, whole months come from the view by month, other days from the plays, because no
-- view counts the plays of a platform by hour.
SELECT coalesce(sum(plays), 0)::bigint AS plays
FROM (
    SELECT plays_all AS plays
    FROM reporting.listening_by_hour
    WHERE listener = :listener AND listened_date BETWEEN :first AND :last
      AND (:hour::integer IS NULL OR hour = :hour::integer)
      AND (:weekday::integer IS NULL OR weekday = :weekday::integer)
      AND :platform::text IS NULL
    UNION ALL
    SELECT plays_all
    FROM reporting.where_and_how
    WHERE listener = :listener AND listened_month BETWEEN :months_first AND :months_last
      AND coalesce(:hour::integer, :weekday::integer) IS NULL
      AND platform = :platform::text
    UNION ALL
    SELECT count(*)
    FROM reporting.plays
    WHERE listener = :listener
      AND (:hour::integer IS NULL OR hour = :hour::integer)
      AND (:weekday::integer IS NULL OR weekday = :weekday::integer)
      AND platform = :platform::text
      AND (
          (ended_at >= :head_first::date::timestamp AT TIME ZONE :zone
           AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone)
          OR (ended_at >= :tail_first::date::timestamp AT TIME ZONE :zone
              AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone)
          OR (coalesce(:hour::integer, :weekday::integer) IS NOT NULL
              AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
              AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone)
      )
) counted
