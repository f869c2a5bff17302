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
    SELECT id, sum(plays_all::integer) AS plays_all, sum(plays_30s::integer) AS plays_30s,
           sum(plays_half::integer) AS plays_half, sum(plays_done::integer) AS plays_done,
           sum(ms::double precision)::bigint AS ms
    FROM {played} played
    GROUP BY id
),
top AS (
    (SELECT id FROM artist ORDER BY plays_all DESC, ms DESC, id LIMIT :most)
    UNION
    (SELECT id FROM artist ORDER BY plays_30s DESC, ms DESC, id LIMIT :most)
    UNION
    (SELECT id FROM artist ORDER BY plays_half DESC, ms DESC, id LIMIT :most)
    UNION
    (SELECT id FROM artist ORDER BY plays_done DESC, ms DESC, id LIMIT :most)
)
SELECT id, artist_name, plays_all, plays_30s, plays_half, plays_done, ms
FROM top
JOIN artist USING (id)
JOIN (SELECT artist_id AS id, artist_name FROM reporting.artists WHERE listener = :listener) named
USING (id)
ORDER BY ms DESC, artist_name COLLATE "C"
