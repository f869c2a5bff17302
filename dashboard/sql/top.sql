-- Artists, tracks or albums by plays or time. {items}, {id} and {title} are the columns of the kind.
-- Ids are ranked before names are joined: a name is slower to read than a number, and few names are shown.

-- ranked --
-- The period beside the previous one. It is ordered by rank, not by {measure}: the rows already have
-- that order, and to keep it Postgres would join the two periods row by row.
-- The sum of bigints is a numeric, which took a quarter of the time of this statement; sums of integers
-- and doubles are quick, and exact here: a double holds each number of ms below 2^53.
WITH total AS (
    SELECT id, sum({plays}::integer) AS plays, sum(ms::double precision)::bigint AS ms,
           sum(ms_estimated::double precision)::bigint AS ms_estimated
    FROM {played} played
    GROUP BY id
    HAVING sum({plays}::integer) > 0
),
ranked AS (
    SELECT *, rank() OVER (ORDER BY {measure} DESC) AS rank
    FROM total
),
whole AS (
    SELECT count(*) AS items, sum({measure}) AS amount, max({measure}) AS highest
    FROM total
),
before AS (
    SELECT id, rank() OVER (ORDER BY sum({value}::double precision) DESC) AS rank
    FROM {played_before} played
    GROUP BY id
    HAVING sum({plays}::integer) > 0
)
SELECT now.*, whole.items, now.{measure} / nullif(whole.amount, 0) AS share,
       now.{measure} / nullif(whole.highest, 0)::double precision AS bar,
       named.artist_name, named.{title} AS title, before.rank AS rank_before,
       (SELECT nullif(count(*), 0) FROM before) AS items_before
FROM ranked now
CROSS JOIN whole
LEFT JOIN before USING (id)
JOIN reporting.{items} named ON named.listener = :listener AND named.{id} = now.id
WHERE {wanted}
ORDER BY now.rank, now.ms DESC,
         named.{title} COLLATE "C", named.artist_name COLLATE "C", now.id
LIMIT :most
