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
-- Polls have another folder. A report may be stored before the batches of its upload. Batches with
-- numbers from r.batches on are of an earlier reading of the upload, which made more batches.
SELECT origin, coalesce(r.listener, max(b.listener)),
       coalesce(sum(b.plays) FILTER (WHERE b.number < coalesce(r.batches, b.number + 1)), 0)::integer,
       r.published,
       coalesce(r.batches = count(*) FILTER (WHERE b.number < r.batches), false),
       greatest(r.reported_at, max(b.loaded_at)), r.rows_in, r.skipped, r.quarantined, r.problems
FROM import_report r
FULL JOIN (SELECT * FROM loaded_batch WHERE starts_with(origin, 'history/')) b USING (origin)
GROUP BY origin, r.origin

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
-- One page of a listener's rows after a key, with those that a deletion keeps out, because the archive
-- has them too. Postgres sorts texts by the rules of a language unless they are compared as bytes.
WITH page AS (
    SELECT timestamptz '1970-01-01 00:00:00+00' + :at * interval '1 microsecond' AS after
)
SELECT h.id, at.us, h.track_uri, (extract(epoch FROM h.loaded_at) * 1000000)::bigint, h.popularity,
       {history},
       (SELECT md5(string_agg(d.digest, '' ORDER BY d.digest COLLATE "C"))
        FROM (
            SELECT {merged} AS digest FROM merged_record r WHERE r.play_id = h.id
            UNION ALL
            SELECT {merged} FROM deleted_record r WHERE r.play_id = h.id
        ) d)
FROM (
    (SELECT p.* FROM listening_history p, page
     WHERE listener = :listener AND played_at >= after
       AND (played_at > after OR track_uri COLLATE "C" > :track)
     ORDER BY played_at, track_uri COLLATE "C"
     LIMIT :most)
    UNION ALL
    (SELECT p.* FROM deleted_play p, page
     WHERE listener = :listener AND played_at >= after
       AND (played_at > after OR track_uri COLLATE "C" > :track)
     ORDER BY played_at, track_uri COLLATE "C"
     LIMIT :most)
) h
CROSS JOIN LATERAL (SELECT (extract(epoch FROM h.played_at) * 1000000)::bigint AS us) at
ORDER BY h.played_at, h.track_uri COLLATE "C"
LIMIT :most

-- verify_row --
SELECT source, history_ts, {fields}
FROM (SELECT * FROM listening_history UNION ALL SELECT * FROM deleted_play) h
WHERE id = :id

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
-- What closes a gap without an end gives it one.
SELECT greatest(started_at, CASE WHEN closed_at IS NULL THEN closed_until END), started_at,
       coalesce(ended_at, CASE WHEN closed_at IS NOT NULL THEN nullif(closed_until, 'infinity') END),
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
WHERE r.batches = (
    SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin AND b.number < r.batches
)

-- extents --
-- How many plays each listener has between two local dates, and these dates as instants.
SELECT listener, since::text, until::text,
       (SELECT count(*) FROM listening_history h
        WHERE h.listener = span.listener AND played_at >= since AND played_at < until)
FROM (
    SELECT l.listener,
           coalesce(:since::timestamp AT TIME ZONE coalesce(s.time_zone, 'UTC'), '-infinity') AS since,
           coalesce(:until::timestamp AT TIME ZONE coalesce(s.time_zone, 'UTC'), 'infinity') AS until
    FROM reporting.listener l
    LEFT JOIN listener_setting s USING (listener)
    WHERE l.listener = coalesce(:listener, l.listener)
) span
ORDER BY listener

-- export_page --
-- The unique index has the plays in this order, so each page is one short scan of it.
SELECT h.played_at, h.track_uri, {columns}
FROM (
    SELECT *
    FROM listening_history
    WHERE listener = :listener
      AND (played_at, track_uri) > (:since::timestamptz, :track_uri)
      AND played_at < :until::timestamptz
    ORDER BY played_at, track_uri
    LIMIT :most
) h
LEFT JOIN track_features f USING (track_uri)
ORDER BY h.played_at, h.track_uri

-- deletion_preview --
-- The rule as it will be stored, and the plays that it matches now.
WITH stored AS MATERIALIZED (
    SELECT deletion_rule(:rule::jsonb) AS rule
),
found AS MATERIALIZED (
    SELECT h.track_name, h.artist_name, h.played_at, coalesce(h.ms_played, h.duration_ms) AS ms
    FROM listening_history h
    CROSS JOIN stored
    WHERE h.listener = :listener
      AND deletion_matches(rule, h.track_uri, h.track_name, h.artist_name, h.album_name,
                           h.platform, h.ms_played, h.played_at)
)
SELECT (SELECT rule FROM stored), count(*), coalesce(sum(ms) / 60000, 0)::integer,
       min(played_at), max(played_at),
       (SELECT coalesce(json_agg(top), '[]')
        FROM (
            SELECT track_name, artist_name, count(*) AS plays
            FROM found
            GROUP BY track_name, artist_name
            ORDER BY plays DESC, artist_name, track_name
            LIMIT 5
        ) top)
FROM found

-- deletions --
SELECT d.id, d.listener, d.rule, d.deleted_at, d.deleted_by, d.plays,
       (SELECT count(*)
        FROM deleted_play p
        WHERE d.undone_at IS NULL
          AND p.listener = d.listener
          AND deletion_matches(d.rule, p.track_uri, p.track_name, p.artist_name, p.album_name,
                               p.platform, p.ms_played, p.played_at)),
       d.undone_at, d.undone_by
FROM deletion d
ORDER BY d.id
