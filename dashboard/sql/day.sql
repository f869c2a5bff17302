-- What is known of one date.

-- coverage --
SELECT is_at_least, coverage
FROM reporting.listening_daily
WHERE listener = :listener AND listened_date = :day::date
