-- totals --
SELECT sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
       sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
       sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
       sum(skips)::bigint AS skips, sum(skips_known)::bigint AS skips_known
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :first AND :last

-- artists --
-- The five artists with the most by each rule. Names are joined last, because few are needed.
WITH part AS (
    SELECT artist_id, plays_all, plays_30s, plays_half, plays_done, ms
    FROM reporting.artists_by_month
    WHERE listener = :listener AND listened_month BETWEEN :months_first AND :months_last
    UNION ALL
    SELECT artist_id, plays_all, plays_30s, plays_half, plays_done, ms
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= :head_first::date::timestamp AT TIME ZONE :zone
      AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT artist_id, plays_all, plays_30s, plays_half, plays_done, ms
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= :tail_first::date::timestamp AT TIME ZONE :zone
      AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone
),
artist AS MATERIALIZED (
    SELECT artist_id, sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
           sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
           sum(ms)::bigint AS ms
    FROM part
    GROUP BY artist_id
),
most AS (
    (
        SELECT 'all' AS rule, artist_id, plays_all AS plays, ms
        FROM artist
        WHERE plays_all > 0
        ORDER BY plays_all DESC, ms DESC
        FETCH FIRST 5 ROWS WITH TIES
    )
    UNION ALL
    (
        SELECT '30s' AS rule, artist_id, plays_30s AS plays, ms
        FROM artist
        WHERE plays_30s > 0
        ORDER BY plays_30s DESC, ms DESC
        FETCH FIRST 5 ROWS WITH TIES
    )
    UNION ALL
    (
        SELECT 'half' AS rule, artist_id, plays_half AS plays, ms
        FROM artist
        WHERE plays_half > 0
        ORDER BY plays_half DESC, ms DESC
        FETCH FIRST 5 ROWS WITH TIES
    )
    UNION ALL
    (
        SELECT 'done' AS rule, artist_id, plays_done AS plays, ms
        FROM artist
        WHERE plays_done > 0
        ORDER BY plays_done DESC, ms DESC
        FETCH FIRST 5 ROWS WITH TIES
    )
),
placed AS (
    SELECT rule, artist_id, artist_name, most.plays,
           row_number() OVER (
               PARTITION BY rule ORDER BY most.plays DESC, most.ms DESC, artist_name COLLATE "C"
           ) AS place
    FROM most
    JOIN reporting.artists USING (artist_id)
    WHERE listener = :listener
)
SELECT rule, artist_id, artist_name, plays, place
FROM placed
WHERE place <= 5
ORDER BY rule, place
