-- artists --
-- Ranks of the ten artists with the most in the period, by week, month, quarter or year.
-- Whole months come from the view by month, the days around them from the plays.
WITH worth AS (
    SELECT date_trunc(:step, listened_month)::date AS starts_on, artist_id AS id, artist_name AS name,
           {plays} AS plays, ms, ms_estimated, {value} AS value
    FROM reporting.artists_by_month
    WHERE listener = :listener AND listened_month BETWEEN :months_first AND :months_last
    UNION ALL
    SELECT date_trunc(:step, listened_date)::date, artist_id, artist_name, {plays}, ms, ms * minutes_are_estimated::integer, {value}
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= :head_first::date::timestamp AT TIME ZONE :zone
      AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT date_trunc(:step, listened_date)::date, artist_id, artist_name, {plays}, ms, ms * minutes_are_estimated::integer, {value}
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= :tail_first::date::timestamp AT TIME ZONE :zone
      AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone
),
item AS (
    SELECT starts_on, id, max(name) AS name, sum(plays)::bigint AS plays, sum(ms)::bigint AS ms,
           sum(ms_estimated)::bigint AS ms_estimated,
           sum(value)::bigint AS value
    FROM worth
    GROUP BY starts_on, id
),
best AS (
    SELECT id, sum(value) AS total, sum(ms) AS total_ms
    FROM item
    GROUP BY id
    HAVING sum(value) > 0
    ORDER BY total DESC, total_ms DESC, max(name) COLLATE "C"
    LIMIT 10
),
ranked AS (
    SELECT item.*, rank() OVER (PARTITION BY starts_on ORDER BY value DESC) AS rank
    FROM item
    WHERE value > 0
)
SELECT starts_on, id, name, plays, ms, ms_estimated, rank, total
FROM ranked
JOIN best USING (id)
ORDER BY total DESC, total_ms DESC, name COLLATE "C", starts_on
