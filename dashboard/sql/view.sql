-- The first statements of every page.

-- listeners --
SELECT listener, time_zone,
       (now() AT TIME ZONE time_zone)::date AS today,
       (first_played_at AT TIME ZONE time_zone)::date AS first_date,
       last_played_at AT TIME ZONE time_zone AS last_played_at_local,
       (greatest(last_played_at, last_polled_at) AT TIME ZONE time_zone)::date AS last_known_on,
       marked_months
FROM reporting.freshness
ORDER BY listener

-- gaps --
SELECT (started_at AT TIME ZONE :zone)::date AS first,
       greatest(
           (started_at AT TIME ZONE :zone)::date,
           ((coalesce(ended_at, now()) - interval '1 microsecond') AT TIME ZONE :zone)::date
       ) AS last
FROM reporting.open_gap
WHERE listener = :listener
ORDER BY started_at

-- days_with_plays --
SELECT count(*) FILTER (WHERE listened_date >= :year_first) AS this_year, count(*) AS last_months
FROM (
    SELECT DISTINCT listened_date
    FROM reporting.listening_by_hour
    WHERE listener = :listener
      AND listened_date >= least(:year_first::date, :months_first::date)
) days
