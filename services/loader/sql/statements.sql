-- lock_listener --
-- One merge per listener at a time, because it reads, computes and then writes. The lock ends with
-- the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('merge ' || :listener, 0))

-- lock_writing --
-- One transaction writes at a time. Filling in popularity updates rows of every listener, and two
-- writers at once could each miss what the other is about to commit. It is taken after the locks of
-- all listeners, or two loaders would deadlock. It also keeps inserts of features from conflicts.
SELECT pg_advisory_xact_lock(hashtextextended('write', 0))

-- plan_by_index --
SELECT set_config('enable_seqscan', 'off', true)

-- near_plays --
-- Rows that may stand for records near the given spans: their ids, and their numbers of records.
-- Each span is widened by the reach of the merge rules, once or twice over, because a row shows the
-- instant of only one of its records: an export record meets others within 1 s, and API records
-- within the window. Spans that overlap are joined, so that no row is read more than a few times.
-- OFFSET 0 makes each span an index scan of its own. Before the first ANALYZE the planner takes the
-- table for tiny, and would compare every span with every row.
WITH export_span AS (
    SELECT unnest(:exports::tstzmultirange) AS span
),
api_span AS (
    SELECT unnest(:apis::tstzmultirange) AS span
),
near_export AS (
    SELECT unnest(range_agg(tstzrange(
        lower(span) - interval '3 s', upper(span) + interval '3 s', '[]'
    ))) AS span
    FROM export_span
),
any_source AS (
    SELECT span FROM near_export
    UNION ALL
    SELECT unnest(range_agg(tstzrange(
        lower(span) - 2 * :window::interval - interval '3 s',
        upper(span) + 2 * :window::interval + interval '3 s', '[]'
    )))
    FROM api_span
),
from_api AS (
    SELECT unnest(range_agg(tstzrange(
        lower(span) - :window::interval - interval '3 s',
        upper(span) + :window::interval + interval '3 s', '[]'
    ))) AS span
    FROM export_span
),
found AS (
    (SELECT h.id
    FROM any_source s
    CROSS JOIN LATERAL (
        SELECT id
        FROM listening_history
        WHERE listener = :listener AND played_at BETWEEN lower(s.span) AND upper(s.span)
        OFFSET 0
    ) h
    LIMIT :most)
    UNION
    (SELECT h.id
    FROM from_api s
    CROSS JOIN LATERAL (
        SELECT id
        FROM listening_history
        WHERE listener = :listener
          AND source <> 'extended-history'
          AND played_at BETWEEN lower(s.span) AND upper(s.span)
        OFFSET 0
    ) h
    LIMIT :most)
    UNION
    -- Rows that were merged when the window was wider.
    (SELECT h.id
    FROM near_export s
    CROSS JOIN LATERAL (
        SELECT id
        FROM listening_history
        WHERE listener = :listener
          AND source = 'both'
          AND history_ts BETWEEN lower(s.span) AND upper(s.span)
        OFFSET 0
    ) h
    LIMIT :most)
)
SELECT id, greatest(1, (SELECT count(*) FROM merged_record r WHERE r.play_id = found.id))
FROM found

-- middle_play --
SELECT track_uri, played_at
FROM (
    SELECT id, track_uri, played_at FROM listening_history
    UNION ALL
    SELECT id, track_uri, played_at FROM deleted_play
) play
WHERE id = ANY(:ids::bigint[])
ORDER BY played_at
OFFSET :half
LIMIT 1

-- stored_plays --
SELECT id, source, played_at, history_ts, {fields}
FROM listening_history
WHERE id = ANY(:ids::bigint[])

-- merged_records --
SELECT play_id, source, {fields}
FROM merged_record
WHERE play_id = ANY(:ids::bigint[])

-- delete_plays --
-- Wherever they are. The records behind them are deleted by cascade.
WITH kept_out AS (
    DELETE FROM deleted_play WHERE id = ANY(:ids::bigint[])
)
DELETE FROM listening_history WHERE id = ANY(:ids::bigint[])

-- new_ids --
SELECT nextval(pg_get_serial_sequence('listening_history', 'id'))
FROM generate_series(1, :count)

-- stored_tracks --
SELECT track_uri FROM track_features WHERE track_uri = ANY(string_to_array(:tracks, ','))

-- insert_features --
-- Tracks that are not stored yet; the caller holds lock_writing. Popularity has its own source and
-- time; a message of the first release has one pair for both.
INSERT INTO track_features AS t
    (track_uri, danceability, energy, key, loudness, mode, speechiness, acousticness,
     instrumentalness, liveness, valence, tempo, duration_ms, time_signature, source, fetched_at,
     popularity, popularity_source, popularity_fetched_at)
SELECT track_uri, danceability, energy, key, loudness, mode, speechiness, acousticness,
       instrumentalness, liveness, valence, tempo, duration_ms, time_signature, source, fetched_at,
       popularity,
       CASE WHEN popularity IS NOT NULL THEN coalesce(popularity_source, source) END,
       CASE WHEN popularity IS NOT NULL THEN coalesce(popularity_fetched_at, fetched_at) END
FROM json_populate_recordset(NULL::track_features, :features::json)

-- on_known_track --
-- Appended to insert_features for stored tracks. The result is the same for every order of answers:
-- * the measures come from one answer, because source and fetched_at describe all of them: the
--   newest that has any measure, or, if none has, the newest of all;
-- * the greatest duration, which has no time of its own and rarely changes;
-- * the newest popularity, by its own time.
ON CONFLICT (track_uri) DO UPDATE SET
    (danceability, energy, key, loudness, mode, speechiness, acousticness, instrumentalness,
     liveness, valence, tempo, time_signature, source, fetched_at) = (
        SELECT answer.danceability, answer.energy, answer.key, answer.loudness, answer.mode,
               answer.speechiness, answer.acousticness, answer.instrumentalness, answer.liveness,
               answer.valence, answer.tempo, answer.time_signature, answer.source, answer.fetched_at
        FROM (SELECT t.*, 0 AS place UNION ALL SELECT excluded.*, 1) AS answer
        ORDER BY tells_sound DESC, fetched_at DESC, place
        LIMIT 1
    ),
    duration_ms = greatest(t.duration_ms, excluded.duration_ms),
    (popularity, popularity_source, popularity_fetched_at) = (
        SELECT answer.popularity, answer.source, answer.fetched_at
        FROM (VALUES (t.popularity, t.popularity_source, t.popularity_fetched_at),
                     (excluded.popularity, excluded.popularity_source, excluded.popularity_fetched_at)
             ) AS answer (popularity, source, fetched_at)
        ORDER BY answer.fetched_at DESC NULLS LAST, answer.popularity DESC, answer.source
        LIMIT 1
    )
-- Every batch of a track carries the same answer, which must not write the row again.
WHERE (excluded.tells_sound, excluded.fetched_at) > (t.tells_sound, t.fetched_at)
   OR excluded.duration_ms > coalesce(t.duration_ms, -1)
   OR (excluded.popularity IS NOT NULL
       AND (t.popularity IS NULL
            OR (excluded.popularity_fetched_at, excluded.popularity)
               > (t.popularity_fetched_at, t.popularity)))

-- fill_popularity --
-- Fills in the missing popularity of plays of these tracks, and of their merged records.
-- Returns the rows whose merged records changed, because such a row shows a value computed from all
-- of them. If no play at all lacks a popularity, no track is looked up.
-- LIMIT and OFFSET make each probe an index scan of its own. Until ANALYZE has counted the plays
-- without popularity, the planner would compare each of them with every track.
WITH awaited AS (
    SELECT track_uri
    FROM unnest(string_to_array(:tracks, ',')) AS asked (track_uri)
    CROSS JOIN LATERAL (
        (SELECT FROM listening_history h
         WHERE h.track_uri = asked.track_uri AND popularity IS NULL LIMIT 1)
        UNION ALL
        (SELECT FROM merged_record r
         WHERE r.track_uri = asked.track_uri AND popularity IS NULL LIMIT 1)
        LIMIT 1
    ) waiting
    WHERE EXISTS (SELECT FROM listening_history WHERE popularity IS NULL)
       OR EXISTS (SELECT FROM merged_record WHERE popularity IS NULL)
),
known AS (
    SELECT track_uri, stored.popularity
    FROM awaited
    CROSS JOIN LATERAL (
        SELECT popularity
        FROM track_features f
        WHERE f.track_uri = awaited.track_uri AND popularity IS NOT NULL
        OFFSET 0
    ) stored
),
filled AS (
    UPDATE merged_record r
    SET popularity = known.popularity
    FROM known
    CROSS JOIN LATERAL (
        SELECT ctid AS place
        FROM merged_record w
        WHERE w.track_uri = known.track_uri AND popularity IS NULL
        OFFSET 0
    ) waiting
    WHERE r.ctid = waiting.place
    RETURNING r.play_id
),
shown AS (
    UPDATE listening_history h
    SET popularity = known.popularity
    FROM known
    CROSS JOIN LATERAL (
        SELECT id
        FROM listening_history w
        WHERE w.track_uri = known.track_uri AND popularity IS NULL
        OFFSET 0
    ) waiting
    WHERE h.id = waiting.id
)
SELECT DISTINCT play_id FROM filled

-- show_popularity --
-- The rule of Row.popularity: the greatest of the API's records, else of the export's.
UPDATE listening_history h
SET popularity = shown.popularity
FROM (
    SELECT play_id, coalesce(
        max(popularity) FILTER (WHERE source = 'recently-played'), max(popularity)
    ) AS popularity
    FROM merged_record
    WHERE play_id = ANY(:ids::bigint[])
    GROUP BY play_id
) shown
WHERE h.id = shown.play_id

-- record_batches --
-- A batch that is delivered again usually changes nothing, so the counts of the first delivery stay.
-- A rebuild may bring deleted rows back: these rows are added to `regrouped`.
-- If an upload is read in another way than before, a batch has another number of plays: then the
-- counts and the listener of the last delivery stay, and `regrouped` keeps the rows of earlier ones.
-- The listener changes if the upload was refused before its listener was deployed. A first batch
-- without plays replaces nothing, because it may be such a refusal.
INSERT INTO loaded_batch AS b
    (origin, number, listener, plays, inserted, upgraded, duplicates, deleted, regrouped)
SELECT origin, number, listener, plays, inserted, upgraded, duplicates, deleted, regrouped
FROM jsonb_populate_recordset(NULL::loaded_batch, :batches::jsonb)
ON CONFLICT (origin, number) DO UPDATE
SET (listener, plays, inserted, upgraded, duplicates, deleted, loaded_at, regrouped) = (
    SELECT kept.listener, kept.plays, kept.inserted, kept.upgraded, kept.duplicates, kept.deleted,
           kept.loaded_at,
           b.inserted + b.regrouped + excluded.inserted + excluded.regrouped - kept.inserted
    FROM (SELECT b.*, false AS is_last UNION ALL SELECT excluded.*, true) AS kept
    WHERE is_last = (excluded.plays <> b.plays AND excluded.plays + excluded.number > 0)
)
WHERE excluded.inserted + excluded.regrouped <> 0
   OR (excluded.plays <> b.plays AND excluded.plays + excluded.number > 0)

-- record_poll --
-- Returns a row if the poll is new.
INSERT INTO poll (origin, listener, polled_at, returned, new, late, moved, unreadable)
SELECT :origin, :listener, polled_at, returned, new, late, moved, unreadable
FROM jsonb_populate_record(NULL::poll, :report::jsonb)
ON CONFLICT (origin) DO NOTHING
RETURNING origin

-- end_wait --
-- The answer that a gap waits for is here. If an earlier one is missing too, open_lost_gap says so.
DELETE FROM gap WHERE awaits = :origin

-- open_lost_gap --
-- Opens a gap from the newest play that Postgres knows if an earlier answer is not in Postgres: it
-- was lost by a restore or is still on its way (then the gap waits for it), or the collector lost
-- its state. No gap is needed if this answer reaches back, or if no earlier poll is known, because
-- then no earlier time counts as watched.
-- Each missing answer has a row of its own, which goes with that answer, and shares none with the
-- collector, whose gaps are closed by other rules. A start is the key of a gap, and the collector's
-- are whole milliseconds, so the start is some microseconds after the newest play.
INSERT INTO gap (listener, started_at, ended_at, reason, origin, awaits)
SELECT :listener,
       interval '1 us' + (
           SELECT coalesce(max(started_at), newest)
           FROM gap
           WHERE listener = :listener
             AND started_at >= newest AND started_at < newest + interval '1 ms'
       ),
       :covers_from::timestamptz, :reason, :origin, :awaits
FROM (
    SELECT coalesce(
        (SELECT max(h.played_at) FROM listening_history h
         WHERE h.listener = :listener AND h.played_at <= p.polled_at),
        p.polled_at
    ) AS newest
    FROM poll p
    WHERE p.listener = :listener AND p.polled_at < :polled_at::timestamptz
    ORDER BY p.polled_at DESC
    LIMIT 1
) known
WHERE newest + interval '1 s' <= :covers_from::timestamptz
  AND NOT EXISTS (SELECT FROM poll WHERE origin = :awaits)
  -- Polls that hold nothing new follow the same answer.
  AND NOT EXISTS (SELECT FROM gap WHERE awaits = :awaits)

-- record_gap --
-- Merges the reports of one gap; the result is the same for every order of arrival. The latest end
-- counts: the collector may have crashed after an earlier one, and a later end covers everything
-- missed since. The gap is closed if what was shown reaches its end, or if no report has an end:
-- the report that closes it may not know the end that another one has.
-- The reason comes from the last report in the order of origins, which is the best informed.
INSERT INTO gap AS g
    (listener, started_at, ended_at, reason, origin, closed_at, closed_by, closed_until)
SELECT :listener, started_at, CASE WHEN NOT is_closed THEN ended_at END, reason, :origin,
       CASE WHEN is_closed THEN now() END,
       CASE WHEN is_closed THEN :origin END,
       CASE WHEN is_closed THEN coalesce(ended_at, 'infinity') END
FROM jsonb_to_record(:gap::jsonb)
    AS reported (started_at timestamptz, ended_at timestamptz, reason text, is_closed boolean)
ON CONFLICT (listener, started_at) DO UPDATE SET
    ended_at = greatest(g.ended_at, excluded.ended_at),
    reason = CASE WHEN g.origin < excluded.origin THEN excluded.reason ELSE g.reason END,
    origin = greatest(g.origin, excluded.origin),
    closed_at = CASE
        WHEN greatest(g.closed_until, excluded.closed_until)
             >= coalesce(greatest(g.ended_at, excluded.ended_at), '-infinity')
        THEN coalesce(g.closed_at, now())
    END,
    closed_by = CASE
        WHEN g.closed_until = excluded.closed_until THEN least(g.closed_by, excluded.closed_by)
        WHEN g.closed_until > excluded.closed_until OR excluded.closed_until IS NULL THEN g.closed_by
        ELSE excluded.closed_by
    END,
    closed_until = greatest(g.closed_until, excluded.closed_until)

-- close_gaps --
-- A complete upload closes the gaps that lie within one of its spans. Only the given uploads are
-- checked, or all of them if the load reported a gap. Of several uploads, closed_by names the one
-- whose span ends last, even if the gap ends later still.
UPDATE gap g
SET closed_at = CASE WHEN c.until >= g.ended_at THEN coalesce(g.closed_at, now()) END,
    closed_by = c.origin, closed_until = c.until
FROM (
    SELECT DISTINCT ON (known.id) known.id, r.origin, span.ended_at AS until
    FROM import_report r
    JOIN gap known USING (listener)
    CROSS JOIN LATERAL jsonb_to_recordset(r.spans)
        AS span (started_at timestamptz, ended_at timestamptz)
    WHERE r.listener = :listener
      AND (:any_upload::boolean OR r.origin = ANY(:uploads::text[]))
      AND known.ended_at IS NOT NULL
      AND span.started_at <= known.started_at
      AND known.started_at < span.ended_at
      AND r.batches = (
          SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin AND b.number < r.batches
      )
    ORDER BY known.id, span.ended_at DESC, r.origin
) c
WHERE g.id = c.id
  AND (g.closed_until IS NULL
       OR c.until > g.closed_until
       OR (c.until = g.closed_until AND c.origin < g.closed_by))

-- record_import --
-- A later report replaces the stored one, because a newer release may read the upload in another
-- way, or its listener was added. It does not if it counts fewer rows: then the upload was refused,
-- deleted or read in part, and the plays of the earlier reading are rows still.
INSERT INTO import_report AS r
    (origin, listener, batches, rows_in, published, skipped, quarantined,
     files, problems, first_played_at, last_played_at, spans, unusual_ids)
SELECT :origin, :listener, batches, rows_in, published, skipped, quarantined,
       files, problems, first_played_at, last_played_at, spans, unusual_ids
FROM jsonb_populate_record(NULL::import_report, :report::jsonb)
ON CONFLICT (origin) DO UPDATE
SET (listener, batches, rows_in, published, skipped, quarantined,
     files, problems, first_played_at, last_played_at, spans, unusual_ids, reported_at) = (
        excluded.listener, excluded.batches, excluded.rows_in, excluded.published, excluded.skipped,
        excluded.quarantined, excluded.files, excluded.problems, excluded.first_played_at,
        excluded.last_played_at, excluded.spans, excluded.unusual_ids, excluded.reported_at
    )
WHERE excluded.rows_in >= r.rows_in
  AND to_jsonb(excluded) - 'reported_at' <> to_jsonb(r) - 'reported_at'

-- completes_upload --
-- True if all batches of one of these uploads are loaded. Those with numbers from r.batches on are of
-- an earlier reading of the upload, which made more batches.
SELECT EXISTS (
    SELECT FROM import_report r
    WHERE r.origin = ANY(:uploads::text[])
      AND r.batches = (
          SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin AND b.number < r.batches
      )
)

-- is_uploading --
-- True if an upload is incomplete and a batch of it was loaded in the last 10 minutes. If none was
-- loaded for longer, its other batches may be dead letters.
SELECT EXISTS (
    SELECT FROM loaded_batch b
    LEFT JOIN import_report r USING (origin)
    WHERE starts_with(origin, :folder)
    GROUP BY origin, r.batches
    HAVING max(b.loaded_at) > now() - interval '10 minutes'
       AND r.batches IS DISTINCT FROM count(*) FILTER (WHERE b.number < r.batches)
)

-- limit_statement --
SELECT set_config('statement_timeout', :most_ms, true)

-- refresh --
-- derived.refresh takes the same lock, and does nothing while another transaction holds it.
SELECT pg_try_advisory_xact_lock(hashtextextended('derive', 0)) AS is_ours,
       derived.refresh(:months::integer) AS months_left

-- rebuild --
SELECT derived.rebuild()

-- time_zone_names --
-- Some installations list each zone three times.
SELECT name FROM pg_timezone_names WHERE name !~ '^(posix|right)/'

-- set_time_zones --
-- An unchanged zone must not mark all months of its listener.
INSERT INTO listener_setting AS s (listener, time_zone)
SELECT key, value FROM json_each_text(:time_zones::json)
ON CONFLICT (listener) DO UPDATE SET time_zone = excluded.time_zone
WHERE s.time_zone <> excluded.time_zone

-- set_default_time_zone --
INSERT INTO listener_setting (listener, time_zone)
SELECT listener, :time_zone FROM unnest(:listeners::text[]) AS listener
ON CONFLICT (listener) DO NOTHING

-- remove_listener --
SELECT remove_listener(:listener)

-- has_deletions --
SELECT EXISTS (SELECT FROM deletion WHERE listener = :listener AND undone_at IS NULL)

-- near_deleted_plays --
-- As near_plays, of the rows that a deletion keeps out. Spans are widened by twice the widest window
-- that the loader's settings allow, so that rows are found whatever the window was when they merged.
SELECT DISTINCT h.id, greatest(1, (SELECT count(*) FROM deleted_record r WHERE r.play_id = h.id))
FROM unnest(:exports::tstzmultirange + :apis::tstzmultirange) AS span
CROSS JOIN LATERAL (
    SELECT id
    FROM deleted_play
    WHERE listener = :listener
      AND played_at BETWEEN lower(span) - interval '20 min' AND upper(span) + interval '20 min'
    OFFSET 0
) h
LIMIT :most

-- deleted_rows --
-- The numbers of the rows that a deletion keeps out.
SELECT number
FROM jsonb_to_recordset(:rows::jsonb) AS given (
    number integer, track_uri text, track_name text, artist_name text, album_name text,
    platform text, ms_played integer, played_at timestamptz
)
WHERE EXISTS (
    SELECT FROM deletion d
    WHERE d.listener = :listener
      AND undone_at IS NULL
      AND deletion_matches(d.rule, track_uri, track_name, artist_name, album_name, platform,
                           ms_played, played_at)
)

-- record_deletion --
-- Returns no row if the deletion is known already.
INSERT INTO deletion (listener, rule, deleted_at, deleted_by, plays)
VALUES (:listener, deletion_rule(:rule::jsonb), :deleted_at, :deleted_by, 0)
ON CONFLICT (listener, deleted_at) DO NOTHING
RETURNING id

-- move_deleted_plays --
-- Moves the plays that match a deletion, with the records behind them, out of listening_history.
WITH gone AS (
    DELETE FROM listening_history h
    USING deletion d
    WHERE d.id = :id
      AND h.listener = d.listener
      AND deletion_matches(d.rule, h.track_uri, h.track_name, h.artist_name, h.album_name,
                           h.platform, h.ms_played, h.played_at)
    RETURNING h.*
),
kept AS (
    INSERT INTO deleted_play SELECT * FROM gone
),
kept_record AS (
    INSERT INTO deleted_record
    SELECT r.* FROM merged_record r JOIN gone ON gone.id = r.play_id
),
counted AS (
    UPDATE deletion SET plays = (SELECT count(*) FROM gone) WHERE id = :id RETURNING plays
)
SELECT plays FROM counted

-- undo_deletion --
-- Returns no row if the deletion is unknown or undone already.
UPDATE deletion
SET undone_at = :undone_at, undone_by = :undone_by
WHERE listener = :listener AND deleted_at = :deleted_at AND undone_at IS NULL
RETURNING id

-- restore_plays --
-- Moves the plays back that no deletion of the listener matches any more. Returns their number, and
-- the tracks among them whose popularity is unknown.
WITH back AS (
    DELETE FROM deleted_play h
    WHERE listener = :listener
      AND NOT EXISTS (
          SELECT FROM deletion d
          WHERE d.listener = h.listener
            AND undone_at IS NULL
            AND deletion_matches(d.rule, h.track_uri, h.track_name, h.artist_name, h.album_name,
                                 h.platform, h.ms_played, h.played_at)
      )
    RETURNING h.*
),
shown AS (
    INSERT INTO listening_history SELECT * FROM back
),
record AS (
    INSERT INTO merged_record
    SELECT r.* FROM deleted_record r JOIN back ON back.id = r.play_id
    RETURNING track_uri, popularity
)
SELECT (SELECT count(*) FROM back),
       (SELECT coalesce(string_agg(DISTINCT track_uri, ','), '')
        FROM (
            SELECT track_uri FROM back WHERE popularity IS NULL
            UNION ALL
            SELECT track_uri FROM record WHERE popularity IS NULL
        ) waiting)

-- book_moved_plays --
-- Plays that a deletion moved out, or its undo moved back.
INSERT INTO loaded_batch
    (origin, number, listener, plays, inserted, upgraded, duplicates, regrouped)
SELECT :origin, count(*), :listener, 0, 0, 0, 0, :plays::integer
FROM loaded_batch
WHERE origin = :origin
