-- The review of a year or a month.

-- hours --
SELECT hour, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
GROUP BY hour

-- moments --
-- Records: the track played most often in a day, the longest session, the longest streak that
-- overlaps the period, and round numbers of plays, which one rule counts.
(
    SELECT 'obsession' AS kind, listened_date AS first_date, listened_date AS last_date,
           plays_all::numeric AS amount, track_name, artist_name
    FROM reporting.obsessions
    WHERE listener = :listener AND listened_date BETWEEN :first AND :last
    ORDER BY plays_all DESC, listened_date, track_name COLLATE "C"
    LIMIT 1
)
UNION ALL
(
    SELECT 'session', listened_date, listened_date, length_minutes, NULL, NULL
    FROM reporting.sessions
    WHERE listener = :listener AND listened_date BETWEEN :first AND :last
    ORDER BY length_minutes DESC, started_at
    LIMIT 1
)
UNION ALL
(
    SELECT 'streak', first_date, last_date, days, NULL, NULL
    FROM reporting.streaks
    WHERE listener = :listener AND counting_rule = :rule
      AND first_date <= :last AND last_date >= :first
    ORDER BY days DESC, first_date
    LIMIT 1
)
UNION ALL
(
    SELECT 'milestone', listened_date, listened_date, milestone, track_name, artist_name
    FROM reporting.milestones
    WHERE :rule = '30s' AND listener = :listener AND listened_date BETWEEN :first AND :last
    ORDER BY milestone DESC
    LIMIT 2
)

-- years --
SELECT DISTINCT extract(year FROM listened_month)::integer AS listened_year
FROM reporting.listening_by_hour
WHERE listener = :listener
