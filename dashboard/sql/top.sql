-- Artists, tracks or albums by plays or time. {items}, {id} and {title} are the columns of the kind.

-- ranked --
-- The period against the one before. Months come from their view, the days around them from plays.
WITH part AS (
    SELECT false AS is_before, true AS is_month, {id} AS id, artist_name, {title} AS title,
           {plays} AS plays, ms, ms_estimated
    FROM reporting.{items}_by_month
    WHERE listener = :listener AND listened_month BETWEEN :months_first::date AND :months_last::date
    UNION ALL
    SELECT false, false, {id}, artist_name, {title}, {plays}, ms, CASE WHEN minutes_are_estimated THEN ms ELSE 0 END
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= (:head_first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT false, false, {id}, artist_name, {title}, {plays}, ms, CASE WHEN minutes_are_estimated THEN ms ELSE 0 END
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= (:tail_first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT true, true, {id}, artist_name, {title}, {plays}, ms, 0
    FROM reporting.{items}_by_month
    WHERE listener = :listener
      AND listened_month BETWEEN :before_months_first::date AND :before_months_last::date
    UNION ALL
    SELECT true, false, {id}, artist_name, {title}, {plays}, ms, 0
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= (:before_head_first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:before_head_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT true, false, {id}, artist_name, {title}, {plays}, ms, 0
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= (:before_tail_first::date)::timestamp AT TIME ZONE :zone
      AND ended_at < (:before_tail_last::date + 1)::timestamp AT TIME ZONE :zone
),
total AS (
    -- Months carry the best-known spelling, single plays that of their track.
    SELECT is_before, id,
           coalesce(min(artist_name) FILTER (WHERE is_month), min(artist_name)) AS artist_name,
           coalesce(min(title) FILTER (WHERE is_month), min(title)) AS title,
           sum(plays)::bigint AS plays, sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated
    FROM part
    WHERE title IS NOT NULL
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
SELECT now.id, now.artist_name, now.title, now.plays, now.ms, now.ms_estimated,
       now.rank, now.items, now.share, now.bar,
       before.rank AS rank_before, before.plays AS plays_before, before.ms AS ms_before,
       (SELECT max(items) FROM ranked WHERE is_before) AS items_before
FROM ranked now
LEFT JOIN ranked before ON before.is_before AND before.id = now.id
WHERE NOT now.is_before
  AND strpos(lower(concat_ws(' ', now.artist_name, now.title)), lower(:search)) > 0
ORDER BY now.{measure} DESC, now.ms DESC, now.title COLLATE "C", now.artist_name COLLATE "C", now.id
LIMIT :most

-- ranked_ever --
SELECT id, artist_name, title, plays, ms, ms_estimated, rank, items, share, bar,
       NULL::bigint AS rank_before, NULL::bigint AS plays_before, NULL::bigint AS ms_before,
       NULL::bigint AS items_before
FROM (
    SELECT {id} AS id, artist_name, {title} AS title, {plays} AS plays, ms, ms_estimated,
           rank() OVER (ORDER BY {value} DESC) AS rank, count(*) OVER () AS items,
           {value} / nullif(sum({value}) OVER (), 0) AS share,
           {value} / nullif(max({value}) OVER (), 0)::double precision AS bar
    FROM reporting.{items}
    WHERE listener = :listener AND {plays} > 0
) ranked
WHERE strpos(lower(concat_ws(' ', artist_name, title)), lower(:search)) > 0
ORDER BY {measure} DESC, ms DESC, title COLLATE "C", artist_name COLLATE "C", id
LIMIT :most
