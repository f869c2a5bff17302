-- year --
SELECT plays_all, {plays} AS plays, minutes, minutes_estimated, days_with_plays, artists, tracks, albums,
       new_artists, new_tracks, skip_rate, busiest_date, busiest_date_minutes,
       previous_{plays} AS previous_plays, previous_minutes, previous_artists, previous_tracks
FROM reporting.year_review
WHERE listener = :listener AND listened_year = extract(year FROM :begin::date)

-- month --
SELECT plays_all, {plays} AS plays, minutes, minutes_estimated, days_with_plays, artists, tracks, albums,
       new_artists, new_tracks, skip_rate, busiest_date, busiest_date_minutes,
       previous_{plays} AS previous_plays, previous_minutes, previous_artists, previous_tracks
FROM reporting.month_review
WHERE listener = :listener AND listened_month = :begin

-- artists --
SELECT artist_id, artist_name, sum({plays})::bigint AS plays,
       sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
       sum({value})::bigint AS value
FROM reporting.artists_by_month
WHERE listener = :listener AND listened_month BETWEEN :begin AND :until
GROUP BY artist_id, artist_name
HAVING sum({value}) > 0
ORDER BY value DESC, ms DESC, artist_name COLLATE "C"
LIMIT 10

-- tracks --
SELECT track_id, track_name, artist_name,
       sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated, sum({value})::bigint AS value
FROM reporting.tracks_by_month
WHERE listener = :listener AND listened_month BETWEEN :begin AND :until
GROUP BY track_id, track_name, artist_name
HAVING sum({value}) > 0
ORDER BY value DESC, ms DESC, track_name COLLATE "C", artist_name COLLATE "C"
LIMIT 10

-- albums --
SELECT album_id, album_name, artist_name,
       sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated, sum({value})::bigint AS value
FROM reporting.albums_by_month
WHERE listener = :listener AND listened_month BETWEEN :begin AND :until
GROUP BY album_id, album_name, artist_name
HAVING sum({value}) > 0
ORDER BY value DESC, ms DESC, album_name COLLATE "C", artist_name COLLATE "C"
LIMIT 5

-- found --
SELECT artist_id, artist_name, first_heard_on, {plays} AS plays, ms, ms_estimated, {value} AS value
FROM reporting.artists
WHERE listener = :listener AND first_heard_on BETWEEN :begin AND :until AND {value} > 0
ORDER BY value DESC, ms DESC, artist_name COLLATE "C"
LIMIT 5

-- hours --
-- Hour by hour, of each month of the period; and the months of the period before, without hours.
SELECT listened_month, hour, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :begin AND :until
GROUP BY listened_month, hour
UNION ALL
SELECT listened_month, NULL, sum({plays})::bigint, sum(ms)::bigint, sum(ms_estimated)::bigint
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :earlier AND :begin::date - 1
GROUP BY listened_month

-- days --
SELECT listened_date, hour, {plays} AS plays, ms, ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :begin AND :until

-- moments --
-- The most of a kind: the track played most often in a day, the longest session, the longest
-- streak that reaches into the period, and the round numbers of plays.
(
    SELECT 'obsession' AS kind, listened_date AS first_date, listened_date AS last_date,
           plays_all::numeric AS amount, track_name, artist_name
    FROM reporting.obsessions
    WHERE listener = :listener AND listened_date BETWEEN :begin AND :until
    ORDER BY plays_all DESC, listened_date, track_name COLLATE "C"
    LIMIT 1
)
UNION ALL
(
    SELECT 'session', listened_date, listened_date, length_minutes, NULL, NULL
    FROM reporting.sessions
    WHERE listener = :listener AND listened_date BETWEEN :begin AND :until
    ORDER BY length_minutes DESC, started_at
    LIMIT 1
)
UNION ALL
(
    SELECT 'streak', first_date, last_date, days, NULL, NULL
    FROM reporting.streaks
    WHERE listener = :listener AND counting_rule = :rule
      AND first_date <= :until AND last_date >= :begin
    ORDER BY days DESC, first_date
    LIMIT 1
)
UNION ALL
(
    SELECT 'milestone', listened_date, listened_date, milestone, track_name, artist_name
    FROM reporting.milestones
    WHERE listener = :listener AND listened_date BETWEEN :begin AND :until
    ORDER BY milestone DESC
    LIMIT 2
)

-- years --
SELECT listened_year
FROM reporting.year_review
WHERE listener = :listener
ORDER BY listened_year DESC
