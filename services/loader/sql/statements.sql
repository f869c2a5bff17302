-- lock_listener --
-- One merge of a listener at a time: it reads, works out and writes. Ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('merge ' || :listener, 0))

-- plan_by_index --
SELECT set_config('enable_seqscan', 'off', true)

-- near_plays --
-- Ids of the rows that may stand for records near the given instants. The reaches are those of
-- the merge rules, once or twice over, because a row shows the instant of one of its records:
-- an export record meets others within 1 s, and API records within the window.
-- OFFSET 0 keeps each probe an index scan of its own: before ANALYZE has seen a table that is
-- just being filled, the planner takes it for tiny and would compare every probe with every row.
WITH export_probe AS (SELECT unnest(string_to_array(:exports, ','))::timestamptz AS at),
api_probe AS (SELECT unnest(string_to_array(:apis, ','))::timestamptz AS at)
SELECT h.id
FROM export_probe p
CROSS JOIN LATERAL (
    SELECT id
    FROM listening_history
    WHERE listener = :listener
      AND played_at BETWEEN p.at - interval '3 s' AND p.at + interval '3 s'
    OFFSET 0
) h
UNION
SELECT h.id
FROM export_probe p
CROSS JOIN LATERAL (
    SELECT id
    FROM listening_history
    WHERE listener = :listener
      AND source <> 'extended-history'
      AND played_at BETWEEN p.at - :window::interval - interval '3 s'
                        AND p.at + :window::interval + interval '3 s'
    OFFSET 0
) h
UNION
-- Rows that were merged while the window was wider.
SELECT h.id
FROM export_probe p
CROSS JOIN LATERAL (
    SELECT id
    FROM listening_history
    WHERE listener = :listener
      AND source = 'both'
      AND history_ts BETWEEN p.at - interval '3 s' AND p.at + interval '3 s'
    OFFSET 0
) h
UNION
SELECT h.id
FROM api_probe p
CROSS JOIN LATERAL (
    SELECT id
    FROM listening_history
    WHERE listener = :listener
      AND played_at BETWEEN p.at - 2 * :window::interval - interval '3 s'
                        AND p.at + 2 * :window::interval + interval '3 s'
    OFFSET 0
) h

-- stored_plays --
SELECT id, source, played_at, history_ts, {fields}
FROM listening_history
WHERE id = ANY(:ids::bigint[])

-- merged_records --
SELECT play_id, source, {fields}
FROM merged_record
WHERE play_id = ANY(:ids::bigint[])

-- delete_plays --
-- Their merged records go with them.
DELETE FROM listening_history WHERE id = ANY(:ids::bigint[])

-- new_ids --
SELECT nextval(pg_get_serial_sequence('listening_history', 'id'))
FROM generate_series(1, :count)

-- upsert_features --
-- The newest answer counts, whatever order answers come in; what it leaves open, an older tells.
INSERT INTO track_features AS t
    (track_uri, danceability, energy, key, loudness, mode, speechiness, acousticness,
     instrumentalness, liveness, valence, tempo, duration_ms, time_signature, source, fetched_at)
SELECT track_uri, danceability, energy, key, loudness, mode, speechiness, acousticness,
       instrumentalness, liveness, valence, tempo, duration_ms, time_signature, source, fetched_at
FROM json_populate_recordset(NULL::track_features, :features::json)
ON CONFLICT (track_uri) DO UPDATE SET
    danceability = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.danceability, t.danceability) ELSE coalesce(t.danceability, excluded.danceability) END,
    energy = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.energy, t.energy) ELSE coalesce(t.energy, excluded.energy) END,
    key = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.key, t.key) ELSE coalesce(t.key, excluded.key) END,
    loudness = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.loudness, t.loudness) ELSE coalesce(t.loudness, excluded.loudness) END,
    mode = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.mode, t.mode) ELSE coalesce(t.mode, excluded.mode) END,
    speechiness = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.speechiness, t.speechiness) ELSE coalesce(t.speechiness, excluded.speechiness) END,
    acousticness = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.acousticness, t.acousticness) ELSE coalesce(t.acousticness, excluded.acousticness) END,
    instrumentalness = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.instrumentalness, t.instrumentalness) ELSE coalesce(t.instrumentalness, excluded.instrumentalness) END,
    liveness = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.liveness, t.liveness) ELSE coalesce(t.liveness, excluded.liveness) END,
    valence = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.valence, t.valence) ELSE coalesce(t.valence, excluded.valence) END,
    tempo = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.tempo, t.tempo) ELSE coalesce(t.tempo, excluded.tempo) END,
    duration_ms = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.duration_ms, t.duration_ms) ELSE coalesce(t.duration_ms, excluded.duration_ms) END,
    time_signature = CASE WHEN excluded.fetched_at > t.fetched_at
        THEN coalesce(excluded.time_signature, t.time_signature) ELSE coalesce(t.time_signature, excluded.time_signature) END,
    source = CASE WHEN excluded.fetched_at > t.fetched_at THEN excluded.source ELSE t.source END,
    fetched_at = greatest(excluded.fetched_at, t.fetched_at)
-- The same answer comes with every batch of its track; it must not write the row again.
WHERE t.fetched_at <> excluded.fetched_at

-- record_batches --
-- A batch that comes again changes nothing, so what its first time did is what counts.
INSERT INTO loaded_batch (origin, number, listener, plays, inserted, upgraded, duplicates, regrouped)
SELECT origin, number, listener, plays, inserted, upgraded, duplicates, regrouped
FROM jsonb_populate_recordset(NULL::loaded_batch, :batches::jsonb)
ON CONFLICT (origin, number) DO NOTHING

-- record_poll --
INSERT INTO poll (origin, listener, polled_at, returned, new, late, moved, unreadable)
SELECT :origin, :listener, polled_at, returned, new, late, moved, unreadable
FROM jsonb_populate_record(NULL::poll, :report::jsonb)
ON CONFLICT (origin) DO NOTHING

-- record_gap --
INSERT INTO gap (listener, started_at, ended_at, reason, origin)
SELECT :listener, started_at, ended_at, reason, :origin
FROM jsonb_populate_record(NULL::gap, :gap::jsonb)
ON CONFLICT (listener, started_at, ended_at) DO NOTHING

-- record_import --
INSERT INTO import_report (origin, listener, batches, rows_in, published, skipped, quarantined,
                           files, problems, first_played_at, last_played_at)
SELECT :origin, :listener, batches, rows_in, published, skipped, quarantined,
       files, problems, first_played_at, last_played_at
FROM jsonb_populate_record(NULL::import_report, :report::jsonb)
ON CONFLICT (origin) DO NOTHING
