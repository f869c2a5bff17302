-- freshness --
SELECT last_played_at AT TIME ZONE :zone AS last_played_at_local,
       last_polled_at AT TIME ZONE :zone AS last_polled_at_local,
       estimated_share, open_gaps
FROM reporting.freshness
WHERE listener = :listener

-- months --
SELECT listened_month, avg(coverage) AS coverage, bool_or(has_open_gap) AS has_open_gap,
       sum(plays_all)::bigint AS plays
FROM reporting.listening_daily
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
GROUP BY listened_month
ORDER BY listened_month

-- days --
SELECT listened_date, coverage, has_open_gap, plays_all AS plays
FROM reporting.listening_daily
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
ORDER BY listened_date

-- gaps --
SELECT started_at AT TIME ZONE :zone AS started_at, ended_at AT TIME ZONE :zone AS ended_at,
       length_s, reason
FROM reporting.open_gap
WHERE listener = :listener
ORDER BY started_at DESC
LIMIT 20

-- imports --
SELECT regexp_replace(split_part(origin, '?versionId=', 1), '^.*/', '') AS name,
       rows_in, inserted, upgraded, duplicates, is_complete, first_played_at, last_played_at,
       (SELECT coalesce(sum(value::bigint), 0)::bigint FROM jsonb_each_text(skipped)) AS skipped,
       (SELECT coalesce(sum(value::bigint), 0)::bigint FROM jsonb_each_text(quarantined)) AS quarantined
FROM reporting.import_result
WHERE listener = :listener
ORDER BY reported_at DESC
LIMIT 20

-- features --
SELECT sum(plays_all)::bigint AS plays, sum(plays_with_features)::bigint AS known
FROM reporting.mood_by_month
WHERE listener = :listener

-- sources --
SELECT sum(live_plays)::bigint AS live, sum(export_plays)::bigint AS export,
       sum(both_plays)::bigint AS both
FROM reporting.data_health
WHERE listener = :listener AND day > (now() AT TIME ZONE 'UTC')::date - 30
