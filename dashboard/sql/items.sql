-- One artist, track or album. {items}, {kind}, {id} and {title} are the columns of the kind.

-- item --
SELECT {id} AS id, artist_id, artist_name, {title} AS title, {plays} AS plays, ms, ms_estimated,
       first_heard_on, last_heard_on, months_heard
FROM reporting.{items}
WHERE listener = :listener AND {id} = :item

-- months --
-- All that is known of it, whatever the period.
SELECT listened_month, {plays} AS plays, ms, ms_estimated
FROM reporting.{items}_by_month
WHERE listener = :listener AND {id} = :item
ORDER BY listened_month

-- ranks --
-- Its place among all of its kind in each month of the period.
SELECT listened_month, 1 + (
    SELECT count(*)
    FROM reporting.{items}_by_month other
    WHERE other.listener = own.listener AND other.listened_month = own.listened_month
      AND other.{value} > own.{value} AND other.{plays} > 0
) AS rank
FROM reporting.{items}_by_month own
WHERE listener = :listener AND {id} = :item AND {plays} > 0
  AND listened_month BETWEEN date_trunc('month', :first::date)::date AND :last::date
ORDER BY listened_month

-- sums --
-- The plays of the period, read once: summed by date, by track and by album. Names are looked up
-- last: a name for each play costs more than all else.
WITH summed AS (
    SELECT grouping(listened_date) = 0 AS is_date, grouping(track_id) = 0 AS is_track,
           listened_date, track_id, album_id,
           sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
           coalesce(sum(ms) FILTER (WHERE minutes_are_estimated), 0)::bigint AS ms_estimated
    FROM reporting.plays
    WHERE listener = :listener AND {id} = :item
      AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
    GROUP BY GROUPING SETS ((listened_date), (track_id), (album_id))
)
SELECT is_date, is_track, listened_date, coalesce(track_id, album_id) AS id, plays, ms, ms_estimated,
       CASE WHEN is_track THEN (
           SELECT track_name FROM reporting.tracks t
           WHERE t.listener = :listener AND t.track_id = summed.track_id
       ) WHEN NOT is_date THEN (
           SELECT album_name FROM reporting.albums a
           WHERE a.listener = :listener AND a.album_id = summed.album_id
       ) END AS title
FROM summed
ORDER BY listened_date

-- last_plays --
SELECT listened_at_local, track_name, artist_name, track_id, ms, minutes_are_estimated, is_skip
FROM reporting.plays
WHERE listener = :listener AND {id} = :item
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
ORDER BY ended_at DESC, track_uri
LIMIT 6
