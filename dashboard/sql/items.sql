-- One artist, track or album. {items}, {id} and {title} are the columns of the kind.

-- item --
SELECT {id} AS id, artist_id, artist_name, {title} AS title, {plays} AS plays, ms, ms_estimated,
       first_heard_on, last_heard_on, months_heard
FROM reporting.{items}
WHERE listener = :listener AND {id} = :item

-- months --
-- All its months, regardless of the period.
SELECT listened_month, {plays} AS plays, ms, ms_estimated
FROM reporting.{items}_by_month
WHERE listener = :listener AND {id} = :item
ORDER BY listened_month

-- ranks --
-- Its rank among all items of its kind in each month of the period.
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
-- The plays of the period, read once: by date if it is short, in total, and by track and album.
-- Only the top tracks and albums get names, because joining all names is the slowest part.
WITH play AS (
    SELECT CASE WHEN :by_day::boolean THEN listened_date END AS listened_date, track_id, album_id,
           {plays} AS plays, ms, CASE WHEN minutes_are_estimated THEN ms ELSE 0 END AS ms_estimated
    FROM reporting.plays
    WHERE listener = :listener AND {id} = :item
      AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
),
summed AS (
    SELECT grouping(listened_date) = 0 AS is_date, grouping(track_id) = 0 AS is_track,
           listened_date, coalesce(track_id, album_id) AS id,
           sum(plays)::bigint AS plays, sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated
    FROM play
    GROUP BY GROUPING SETS ((listened_date), (track_id), (album_id))
),
placed AS (
    SELECT *, rank() OVER (PARTITION BY is_date, is_track ORDER BY {measure} DESC, ms DESC) AS place
    FROM summed
    WHERE is_date OR (id IS NOT NULL AND plays > 0)
)
SELECT is_date, is_track, listened_date, id, plays, ms, ms_estimated,
       CASE WHEN is_track THEN (
           SELECT track_name FROM reporting.tracks t
           WHERE t.listener = :listener AND t.track_id = id
       ) WHEN NOT is_date THEN (
           SELECT album_name FROM reporting.albums a
           WHERE a.listener = :listener AND a.album_id = id
       ) END AS title
FROM placed
WHERE is_date OR place <= :most
ORDER BY listened_date

-- sums_of_artist --
-- The same for an artist and all time, from stored sums.
SELECT true AS is_date, false AS is_track, NULL::date AS listened_date, artist_id AS id,
       {plays} AS plays, ms, ms_estimated, NULL AS title
FROM reporting.artists
WHERE listener = :listener AND artist_id = :item
UNION ALL
(
    SELECT false, true, NULL, track_id, {plays}, ms, ms_estimated, track_name
    FROM reporting.tracks
    WHERE listener = :listener AND artist_id = :item AND {plays} > 0
    ORDER BY {value} DESC, ms DESC, track_name COLLATE "C"
    LIMIT :most
)
UNION ALL
(
    SELECT false, false, NULL, album_id, {plays}, ms, ms_estimated, album_name
    FROM reporting.albums
    WHERE listener = :listener AND artist_id = :item AND {plays} > 0
    ORDER BY {value} DESC, ms DESC, album_name COLLATE "C"
    LIMIT :most
)

-- last_plays --
SELECT listened_at_local, track_name, ms, minutes_are_estimated, is_skip
FROM reporting.plays
WHERE listener = :listener AND {id} = :item
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
ORDER BY ended_at DESC, track_uri
LIMIT 6
