-- The numbers of a period, for the Overview and the Review.

-- days --
-- Each date with plays, including skips.
SELECT listened_date AS day, sum({plays})::bigint AS plays, sum(ms)::bigint AS ms,
       sum(ms_estimated)::bigint AS ms_estimated
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :begin::date AND :until::date
GROUP BY listened_date
ORDER BY listened_date

-- heard_first --
-- The number of artists, tracks or albums that are new in the period and in the previous one. As in
-- reporting.discovery, an item is new at its first play, even if that is a skip.
SELECT count(*) FILTER (WHERE first_heard_on BETWEEN :first::date AND :last::date) AS now,
       count(*) FILTER (WHERE first_heard_on BETWEEN :before_first::date AND :before_last::date) AS before
FROM reporting.{items}
WHERE listener = :listener

-- artists_heard_first --
SELECT date_trunc('month', first_heard_on)::date AS listened_month, count(*) AS items
FROM reporting.artists
WHERE listener = :listener
  AND first_heard_on BETWEEN :first::date AND :last::date
GROUP BY date_trunc('month', first_heard_on)

-- items --
-- The number of counted artists or tracks in each month.
SELECT listened_month, count(*) AS items
FROM reporting.{items}_by_month
WHERE listener = :listener AND {plays} > 0
  AND listened_month BETWEEN date_trunc('month', :first::date)::date AND :last::date
GROUP BY listened_month
