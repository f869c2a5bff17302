-- totals --
SELECT count(*) AS sessions, max(length_minutes) AS longest,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY length_minutes) AS median,
       sum({plays})::bigint AS plays
FROM reporting.sessions
WHERE listener = :listener AND listened_date BETWEEN :begin AND :until

-- shapes --
-- Sessions by their first hour, and by their length: `:edges` are minutes.
SELECT hour, width_bucket(length_minutes, :edges::numeric[]) AS size,
       count(*) AS sessions
FROM reporting.sessions
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
GROUP BY GROUPING SETS ((hour), (size))

-- longest --
-- All sessions, or those of one first hour or size, as in shapes.
SELECT started_at_local, listened_date, length_minutes, {plays} AS plays, ms, ms_estimated
FROM reporting.sessions
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
  AND (:hour::integer IS NULL OR hour = :hour::integer)
  AND (:size::integer IS NULL
       OR width_bucket(length_minutes, :edges::numeric[]) = :size::integer)
ORDER BY length_minutes DESC, started_at_local
LIMIT 10

-- streaks --
-- The longest streaks ever, including the current one and those of the period.
SELECT first_date, last_date, days, unknown_days,
       rank() OVER (ORDER BY days DESC) AS rank
FROM reporting.streaks
WHERE listener = :listener AND counting_rule = :rule
ORDER BY days DESC, last_date DESC

-- milestones --
SELECT milestone, listened_date, track_name, artist_name
FROM reporting.milestones
WHERE listener = :listener
ORDER BY milestone DESC
LIMIT 10
