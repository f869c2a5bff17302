-- hours --
SELECT weekday, hour, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
GROUP BY weekday, hour

-- months --
-- Every known month, regardless of the period, because years are compared with each other.
SELECT listened_month, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener
GROUP BY listened_month
ORDER BY listened_month
