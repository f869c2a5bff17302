-- totals --
SELECT sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
       sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
       sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
       sum(skips)::bigint AS skips, sum(skips_known)::bigint AS skips_known
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :first AND :last

-- artists --
-- The five artists with the most by each rule.
WITH part AS (
    SELECT artist_id, artist_name, plays_all, plays_30s, plays_half, plays_done, ms
    FROM reporting.artists_by_month
    WHERE listener = :listener AND listened_month BETWEEN :months_first AND :months_last
    UNION ALL
    SELECT artist_id, artist_name, plays_all, plays_30s, plays_half, plays_done, ms
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= :head_first::date::timestamp AT TIME ZONE :zone
      AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT artist_id, artist_name, plays_all, plays_30s, plays_half, plays_done, ms
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= :tail_first::date::timestamp AT TIME ZONE :zone
      AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone
),
artist AS (
    SELECT artist_id, max(artist_name) AS artist_name, sum(plays_all)::bigint AS plays_all,
           sum(plays_30s)::bigint AS plays_30s, sum(plays_half)::bigint AS plays_half,
           sum(plays_done)::bigint AS plays_done, sum(ms) AS ms
    FROM part
    GROUP BY artist_id
),
placed AS (
    SELECT *,
           row_number() OVER (ORDER BY plays_all DESC, ms DESC, artist_name COLLATE "C") AS place_all,
           row_number() OVER (ORDER BY plays_30s DESC, ms DESC, artist_name COLLATE "C") AS place_30s,
           row_number() OVER (ORDER BY plays_half DESC, ms DESC, artist_name COLLATE "C") AS place_half,
           row_number() OVER (ORDER BY plays_done DESC, ms DESC, artist_name COLLATE "C") AS place_done
    FROM artist
)
SELECT artist_id, artist_name, plays_all, plays_30s, plays_half, plays_done,
       place_all, place_30s, place_half, place_done
FROM placed
WHERE least(place_all, place_30s, place_half, place_done) <= :most_rows
