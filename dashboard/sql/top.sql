-- Artists, tracks or albums by plays or time. {items}, {id} and {title} are the columns of the kind.
-- Ids are ranked before names are joined: a name costs more than a number, and few are shown.

-- ranked --
-- The period against the one before. Months come from their view, the days around them from plays.
WITH part AS (
    SELECT false AS is_before, {id} AS id, {plays} AS plays, ms, ms_estimated
    FROM reporting.{items}_by_month
    WHERE listener = :listener AND listened_month BETWEEN :months_first::date AND :months_last::date
    UNION ALL
    SELECT false, {id}, {plays}, ms, CASE WHEN minutes_are_estimated THEN ms ELSE 0 END
    FROM reporting.plays
    WHERE listener = :listener AND {title} IS NOT NULL
      AND ended_at >= (:head_first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT false, {id}, {plays}, ms, CASE WHEN minutes_are_estimated THEN ms ELSE 0 END
    FROM reporting.plays
    WHERE listener = :listener AND {title} IS NOT NULL
      AND ended_at >= (:tail_first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT true, {id}, {plays}, ms, 0
    FROM reporting.{items}_by_month
    WHERE listener = :listener
      AND listened_month BETWEEN :before_months_first::date AND :before_months_last::date
    UNION ALL
    SELECT true, {id}, {plays}, ms, 0
    FROM reporting.plays
    WHERE listener = :listener AND {title} IS NOT NULL
      AND ended_at >= (:before_head_first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:before_head_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT true, {id}, {plays}, ms, 0
    FROM reporting.plays
    WHERE listener = :listener AND {title} IS NOT NULL
      AND ended_at >= (:before_tail_first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:before_tail_last::date + 1)::timestamp AT TIME ZONE :zone
),
total AS (
    SELECT is_before, id, sum(plays)::bigint AS plays, sum(ms)::bigint AS ms,
           sum(ms_estimated)::bigint AS ms_estimated
    FROM part
    GROUP BY is_before, id
    HAVING sum(plays) > 0
),
ranked AS (
    SELECT *, rank() OVER by_value AS rank, count(*) OVER whole AS items,
           {measure} / nullif(sum({measure}) OVER whole, 0) AS share,
           {measure} / nullif(max({measure}) OVER whole, 0)::double precision AS bar
    FROM total
    WINDOW whole AS (PARTITION BY is_before),
           by_value AS (PARTITION BY is_before ORDER BY {measure} DESC)
)
SELECT now.id, named.artist_name, named.{title} AS title, now.plays, now.ms, now.ms_estimated,
       now.rank, now.items, now.share, now.bar, before.rank AS rank_before,
       (SELECT max(items) FROM ranked WHERE is_before) AS items_before
FROM ranked now
LEFT JOIN ranked before ON before.is_before AND before.id = now.id
JOIN reporting.{items} named ON named.listener = :listener AND named.{id} = now.id
WHERE NOT now.is_before
  AND CASE WHEN :search = '' THEN now.rank <= :most ELSE
      strpos(lower(concat_ws(' ', named.artist_name, named.{title})), lower(:search)) > 0 END
ORDER BY now.{measure} DESC, now.ms DESC,
         named.{title} COLLATE "C", named.artist_name COLLATE "C", now.id
LIMIT :most

-- ranked_ever --
WITH ranked AS (
    SELECT {id} AS id, {plays} AS plays, ms, ms_estimated,
           rank() OVER (ORDER BY {value} DESC) AS rank, count(*) OVER () AS items,
           {value} / nullif(sum({value}) OVER (), 0) AS share,
           {value} / nullif(max({value}) OVER (), 0)::double precision AS bar
    FROM reporting.{items}
    WHERE listener = :listener AND {plays} > 0
)
SELECT now.id, named.artist_name, named.{title} AS title, now.plays, now.ms, now.ms_estimated,
       now.rank, now.items, now.share, now.bar,
       NULL::bigint AS rank_before, NULL::bigint AS items_before
FROM ranked now
JOIN reporting.{items} named ON named.listener = :listener AND named.{id} = now.id
WHERE CASE WHEN :search = '' THEN now.rank <= :most ELSE
      strpos(lower(concat_ws(' ', named.artist_name, named.{title})), lower(:search)) > 0 END
ORDER BY now.{measure} DESC, now.ms DESC,
         named.{title} COLLATE "C", named.artist_name COLLATE "C", now.id
LIMIT :most
