-- Artists, tracks or albums by plays or time. {items}, {id} and {title} are the columns of the kind.
-- Ids are ranked before names are joined: a name is slower to read than a number, and few names are shown.

-- ranked --
-- The period alone: with the previous one in the same statement Postgres took twice as long.
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
)
SELECT now.*, whole.items, now.{measure} / nullif(whole.amount, 0) AS share,
       now.{measure} / nullif(whole.highest, 0)::double precision AS bar,
       named.artist_name, named.{title} AS title
FROM ranked now
CROSS JOIN whole
JOIN reporting.{items} named ON named.listener = :listener AND named.{id} = now.id
WHERE {wanted}
ORDER BY now.rank, now.ms DESC,
         named.{title} COLLATE "C", named.artist_name COLLATE "C", now.id
LIMIT :most

-- ranks_before --
-- The ranks of the items `ids` in the previous period, null if they were not played, and how many
-- items were: null if none.
WITH before AS (
    SELECT id, rank() OVER (ORDER BY sum({value}::double precision) DESC) AS rank_before
    FROM {played_before} played
    GROUP BY id
    HAVING sum({plays}::integer) > 0
)
SELECT now.id, before.rank_before, (SELECT nullif(count(*), 0) FROM before) AS items_before
FROM unnest(:ids::bigint[]) AS now (id)
LEFT JOIN before USING (id)
