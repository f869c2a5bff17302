-- One artist, track or album. {items}, {kind}, {id} and {title} are the columns of the kind.

-- item --
SELECT {id} AS id, artist_id, artist_name, {title} AS title, {plays} AS plays, ms, ms_estimated,
       first_heard_on, last_heard_on, months_heard, most_in_a_month
FROM reporting.{items}
WHERE listener = :listener AND {id} = :item

-- months --
-- All that is known of it, whatever the period.
SELECT listened_month, {plays} AS plays, ms, ms_estimated
FROM reporting.{items}_by_month
WHERE listener = :listener AND {id} = :item
ORDER BY listened_month

-- ranks --
SELECT listened_month, {rank} AS rank
FROM reporting.{kind}_rank_by_month
WHERE listener = :listener AND {id} = :item AND {plays} > 0
  AND listened_month BETWEEN date_trunc('month', :first::date)::date AND :last::date
ORDER BY listened_month

-- days --
SELECT listened_date, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       coalesce(sum(ms) FILTER (WHERE minutes_are_estimated), 0)::bigint AS ms_estimated
FROM reporting.plays
WHERE listener = :listener AND {id} = :item
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
GROUP BY listened_date
ORDER BY listened_date

-- tracks --
SELECT track_id AS id, min(track_name) AS title, min(artist_name) AS artist_name,
       sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       coalesce(sum(ms) FILTER (WHERE minutes_are_estimated), 0)::bigint AS ms_estimated
FROM reporting.plays
WHERE listener = :listener AND {id} = :item
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
GROUP BY track_id
HAVING sum({plays}) > 0
ORDER BY sum({value}) DESC, sum(ms) DESC, min(track_name) COLLATE "C"
LIMIT 20

-- albums --
SELECT album_id AS id, min(album_name) AS title, min(artist_name) AS artist_name,
       sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       coalesce(sum(ms) FILTER (WHERE minutes_are_estimated), 0)::bigint AS ms_estimated
FROM reporting.plays
WHERE listener = :listener AND {id} = :item AND album_name IS NOT NULL
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
GROUP BY album_id
HAVING sum({plays}) > 0
ORDER BY sum({value}) DESC, sum(ms) DESC, min(album_name) COLLATE "C"
LIMIT 20

-- last_plays --
SELECT listened_at_local, track_name, artist_name, track_id, ms, minutes_are_estimated, is_skip
FROM reporting.plays
WHERE listener = :listener AND {id} = :item
  AND ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone
ORDER BY ended_at DESC, track_uri
LIMIT 6
