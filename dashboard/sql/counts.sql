-- totals --
SELECT sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
       sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
       sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
       sum(skips)::bigint AS skips, sum(skips_known)::bigint AS skips_known
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :first AND :last

-- artists --
-- The period's top artists by any rule, with their plays by each rule.
WITH artist AS (
    SELECT id, sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
           sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
           sum(ms)::bigint AS ms
    FROM {played} played
    GROUP BY id
),
placed AS (
    SELECT *, rank() OVER (ORDER BY plays_all DESC, ms DESC) AS place_all,
           rank() OVER (ORDER BY plays_30s DESC, ms DESC) AS place_30s,
           rank() OVER (ORDER BY plays_half DESC, ms DESC) AS place_half,
           rank() OVER (ORDER BY plays_done DESC, ms DESC) AS place_done
    FROM artist
)
SELECT id, artist_name, plays_all, plays_30s, plays_half, plays_done, ms
FROM placed
JOIN (SELECT artist_id AS id, artist_name FROM reporting.artists WHERE listener = :listener) named
USING (id)
WHERE least(place_all, place_30s, place_half, place_done) <= :most
ORDER BY ms DESC, artist_name COLLATE "C"
