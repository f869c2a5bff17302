-- upload_report --
-- The view's sums are wrong until the last batch is loaded.
SELECT rows_in, published, inserted, upgraded, duplicates, skipped, quarantined, files, problems,
       first_played_at, last_played_at, api_rows, api_rows_without_partner,
       offset_p50_s, offset_p90_s, offset_p99_s, unusual_ids
FROM reporting.import_result
WHERE origin = :origin AND is_complete

-- upload_progress --
SELECT coalesce(sum(plays), 0)::integer,
       (SELECT published FROM import_report WHERE origin = :origin)
FROM loaded_batch
WHERE origin = :origin

-- uploads --
-- Polls have another folder. A report may be stored before the batches of its upload.
SELECT coalesce(r.origin, b.origin), coalesce(r.listener, b.listener), coalesce(b.plays, 0)::integer,
       r.published, coalesce(r.batches = b.batches, false),
       greatest(r.reported_at, b.loaded_at), r.rows_in, r.skipped, r.quarantined, r.problems
FROM import_report r
FULL JOIN (
    SELECT origin, listener, count(*) AS batches, sum(plays) AS plays, max(loaded_at) AS loaded_at
    FROM loaded_batch
    WHERE starts_with(origin, 'history/')
    GROUP BY origin, listener
) b ON r.origin = b.origin

-- of_listener --
SELECT (SELECT count(*) FROM listening_history WHERE listener = :listener),
       (SELECT count(*) FROM gap WHERE listener = :listener)

-- poll --
SELECT p.listener, p.polled_at, p.returned, p.new, p.late, p.moved, p.unreadable,
       sum(b.inserted), sum(b.upgraded), sum(b.duplicates)
FROM poll p
JOIN loaded_batch b USING (origin)
WHERE p.origin = :origin
GROUP BY p.origin
HAVING count(*) = :batches

-- rows --
-- Postgres counts large tables in parallel and returns them in any order.
SELECT name, number
FROM (
    SELECT 1, 'listening_history', count(*) FROM listening_history
    UNION ALL SELECT 2, 'track_features', count(*) FROM track_features
    UNION ALL SELECT 3, 'poll', count(*) FROM poll
    UNION ALL SELECT 4, 'gap', count(*) FROM gap
    UNION ALL SELECT 5, 'loaded_batch', count(*) FROM loaded_batch
    UNION ALL SELECT 6, 'import_report', count(*) FROM import_report
) AS counted (position, name, number)
ORDER BY position

-- first_load --
-- Features are asked for before a play is loaded.
SELECT min(loaded_at)
FROM listening_history
WHERE track_uri = ANY(CAST(:tracks AS text[]))

-- last_poll --
SELECT listener, polled_at, returned, new
FROM poll
ORDER BY polled_at DESC
LIMIT 1

-- gaps --
-- Open gaps first. The part of an open gap that an upload covers no longer belongs to it.
SELECT listener, CASE WHEN is_open THEN greatest(started_at, covered_until) ELSE started_at END,
       coalesce(ended_at, covered_until), reason, is_open
FROM (
    SELECT *, closed_at IS NULL AS is_open, nullif(closed_until, 'infinity') AS covered_until,
           row_number() OVER (PARTITION BY closed_at IS NULL ORDER BY started_at DESC) AS number
    FROM gap
) g
WHERE number <= CASE WHEN is_open THEN 1000 ELSE 10 END
ORDER BY is_open DESC, started_at DESC

-- open_gaps --
SELECT listener, count(*) FROM reporting.open_gap GROUP BY listener

-- coverage --
-- Days of UTC; of today, the part that has passed.
SELECT listener,
       sum(known_s) FILTER (WHERE day > today - 7) / sum(elapsed_s) FILTER (WHERE day > today - 7),
       sum(known_s) / sum(elapsed_s),
       json_agg(
           json_build_object('day', day, 'coverage', coverage, 'open_gap_s', open_gap_s)
           ORDER BY day
       ) FILTER (WHERE day > today - 7)
FROM reporting.data_health
CROSS JOIN (SELECT (now() AT TIME ZONE 'UTC')::date AS today) t
WHERE day > today - 30
GROUP BY listener
ORDER BY listener
