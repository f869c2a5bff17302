-- months --
-- Whole months, including the first and the last month of the period.
SELECT listened_month, d.plays_all, d.new_artists, d.plays_of_new_artists,
       v.top10_artists_share, d.plays_all::numeric / nullif(d.tracks, 0) AS plays_per_track
FROM reporting.discovery d
JOIN reporting.diversity v USING (listener, listened_month)
WHERE listener = :listener
  AND listened_month BETWEEN date_trunc('month', :first::date)::date AND :last
ORDER BY listened_month

-- found_artists --
SELECT artist_id, artist_name, first_heard_on, {plays} AS plays, ms, ms_estimated,
       {value} AS value
FROM reporting.artists
WHERE listener = :listener AND first_heard_on BETWEEN :first AND :last AND {plays} > 0
ORDER BY {value} DESC, ms DESC, artist_name COLLATE "C"
LIMIT :most

-- found_tracks --
SELECT track_id, track_name, artist_name, first_heard_on, {plays} AS plays, ms, ms_estimated,
       {value} AS value
FROM reporting.tracks
WHERE listener = :listener AND first_heard_on BETWEEN :first AND :last AND {plays} > 0
ORDER BY {value} DESC, ms DESC, track_name COLLATE "C", artist_name COLLATE "C"
LIMIT :most

-- forgotten --
SELECT track_id, track_name, artist_name, {plays} AS plays, last_heard_on
FROM reporting.forgotten_favourites
WHERE listener = :listener AND {plays} > 0
ORDER BY {plays} DESC, last_heard_on, track_name COLLATE "C"
LIMIT 12

-- obsessions --
SELECT track_id, track_name, artist_name, listened_date, plays_all
FROM reporting.obsessions
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
ORDER BY plays_all DESC, listened_date DESC, track_name COLLATE "C"
LIMIT 12

-- together --
SELECT other_listener, artist_id, artist_name, {plays} AS plays, other_{plays} AS other_plays
FROM reporting.together
WHERE listener = :listener AND {plays} > 0 AND other_{plays} > 0
ORDER BY least({plays}, other_{plays}) DESC, artist_name COLLATE "C"
LIMIT 10
