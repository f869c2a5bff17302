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

-- verify_rows --
-- One page of a listener's rows after a key. Postgres sorts texts by the rules of a language unless
-- they are compared as bytes.
SELECT h.id, at.us, h.track_uri, (extract(epoch FROM h.loaded_at) * 1000000)::bigint, h.popularity,
       {history},
       (SELECT md5(string_agg(d.digest, '' ORDER BY d.digest COLLATE "C"))
        FROM (SELECT {merged} AS digest FROM merged_record r WHERE r.play_id = h.id) d)
FROM listening_history h
CROSS JOIN LATERAL (SELECT (extract(epoch FROM h.played_at) * 1000000)::bigint AS us) at
WHERE h.listener = :listener
  AND h.played_at >= timestamptz '1970-01-01 00:00:00+00' + :at * interval '1 microsecond'
  AND (h.played_at > timestamptz '1970-01-01 00:00:00+00' + :at * interval '1 microsecond'
       OR h.track_uri COLLATE "C" > :track)
ORDER BY h.played_at, h.track_uri COLLATE "C"
LIMIT :most

-- verify_row --
SELECT source, history_ts, {fields} FROM listening_history WHERE id = :id

-- verify_listeners --
-- What is stored of each listener: rows, what the ledger says, the first and the last poll.
SELECT n.listener,
       (SELECT count(*) FROM listening_history h WHERE h.listener = n.listener),
       coalesce((SELECT sum(inserted + regrouped) FROM loaded_batch b WHERE b.listener = n.listener), 0)::bigint,
       (SELECT min(polled_at) FROM poll p WHERE p.listener = n.listener),
       (SELECT max(polled_at) FROM poll p WHERE p.listener = n.listener)
FROM unnest(string_to_array(:listeners, ',')) AS n (listener)

-- verify_polls --
SELECT origin FROM poll WHERE origin = ANY(string_to_array(:origins, ','))

-- verify_gaps --
-- All gaps: where it starts to be open, its end, whether it is open, and which answer it waits for.
SELECT greatest(started_at, CASE WHEN closed_at IS NULL THEN closed_until END), started_at, ended_at,
       closed_at IS NULL, awaits
FROM gap
WHERE listener = :listener
ORDER BY started_at

-- verify_uploads --
-- The uploads that are loaded completely, and the time that they cover.
SELECT r.origin, r.listener, span.started_at, span.ended_at
FROM import_report r
LEFT JOIN LATERAL jsonb_to_recordset(r.spans)
    AS span (started_at timestamptz, ended_at timestamptz) ON true
WHERE r.batches = (SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin)
