-- hours --
SELECT weekday, hour, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
GROUP BY weekday, hour

-- hours_before --
SELECT weekday, hour, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :before_first AND :before_last
GROUP BY weekday, hour

-- months --
-- Every month that is known, whatever the period: years are compared with each other.
SELECT listened_month, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener
GROUP BY listened_month
ORDER BY listened_month

-- gap_months --
-- Months in which plays may be missing.
SELECT DISTINCT date_trunc('month', listened_at)::date AS listened_month
FROM reporting.open_gap
CROSS JOIN LATERAL generate_series(
    date_trunc('month', started_at AT TIME ZONE :zone),
    coalesce(ended_at, now()) AT TIME ZONE :zone,
    interval '1 month'
) AS listened_at
WHERE listener = :listener

-- days --
SELECT listened_date, {plays} AS plays, ms, ms_estimated, is_at_least
FROM reporting.listening_daily
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
