-- artists --
-- The top ten artists of the period, ranked among each other by week, month, quarter or year, so
-- that each is in the chart at every step with a play.
-- Whole months come from the view by month, the days around them from the plays. For all time only
-- the months of the ten are read. Names are joined last, because only ten are needed. Dates are cut
-- as timestamps without a zone, which is quicker.
WITH worth AS (
    SELECT date_trunc(:step, listened_month::timestamp)::date AS starts_on, artist_id,
           ms, ms_estimated, {value} AS value
    FROM reporting.artists_by_month
    WHERE listener = :listener AND NOT :is_all::boolean
      AND listened_month BETWEEN :months_first AND :months_last
    UNION ALL
    SELECT date_trunc(:step, listened_month::timestamp)::date, artist_id, ms, ms_estimated, {value}
    FROM reporting.artists_by_month
    WHERE listener = :listener AND :is_all::boolean
      AND artist_id = ANY (ARRAY(
          SELECT artist_id
          FROM reporting.artists
          WHERE listener = :listener
          ORDER BY {value} DESC, ms DESC
          FETCH FIRST 10 ROWS WITH TIES
      ))
    UNION ALL
    SELECT date_trunc(:step, listened_date::timestamp)::date, artist_id,
           ms, ms * minutes_are_estimated::integer, {value}
    FROM reporting.plays
    -- A play that no refresh has seen has no id yet.
    WHERE listener = :listener AND artist_id IS NOT NULL
      AND (
          (ended_at >= :head_first::date::timestamp AT TIME ZONE :zone
           AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone)
          OR (ended_at >= :tail_first::date::timestamp AT TIME ZONE :zone
              AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone)
      )
),
most AS (
    SELECT artist_id, sum(value) AS total, sum(ms) AS total_ms
    FROM worth
    GROUP BY artist_id
    HAVING sum(value) > 0
    ORDER BY total DESC, total_ms DESC
    FETCH FIRST 10 ROWS WITH TIES
),
best AS (
    SELECT most.*, artist_name
    FROM most
    JOIN reporting.artists USING (artist_id)
    WHERE listener = :listener
    ORDER BY total DESC, total_ms DESC, artist_name COLLATE "C"
    LIMIT 10
),
step AS (
    SELECT starts_on, artist_id, sum(value)::bigint AS value, sum(ms) AS ms,
           sum(ms_estimated)::bigint AS ms_estimated
    FROM worth
    WHERE artist_id IN (SELECT artist_id FROM best)
    GROUP BY starts_on, artist_id
    HAVING sum(value) > 0
)
SELECT starts_on, artist_id, artist_name, value, ms_estimated,
       row_number() OVER (
           PARTITION BY starts_on ORDER BY value DESC, step.ms DESC, artist_name COLLATE "C"
       ) AS rank
FROM step
JOIN best USING (artist_id)
ORDER BY total DESC, total_ms DESC, artist_name COLLATE "C", starts_on
