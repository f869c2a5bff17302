-- Uploads that are read again in another way: by a release that reads more, or after their listener is added.
-- The release before this runs on while this one is rolled out: it replaces no report and no counts.

GRANT UPDATE ON loaded_batch, import_report TO loader;

COMMENT ON TABLE loaded_batch IS 'What became of each batch when it was first loaded, or last with another number of plays, and rows that a person deleted or brought back (origin deletions/…). Rows of listening_history = sum of inserted + regrouped.';
COMMENT ON COLUMN loaded_batch.number IS 'Which batch of its origin, from 0. From import_report.batches on: of an earlier reading of the upload, which made more batches. Source: the batch.';
COMMENT ON COLUMN loaded_batch.regrouped IS 'Rows that older records gained or lost when a later one changed which of them belong together, that another delivery of this batch added, or that a person deleted. Source: loader, this database.';
COMMENT ON TABLE import_report IS 'What the backfill found in each upload, when it last read all of it; reporting.import_result adds what became of its plays.';

-- The views that ask whether an upload is complete: they leave out batches of earlier readings.
CREATE OR REPLACE VIEW reporting.import_result AS
SELECT r.origin, r.listener, r.reported_at, r.rows_in, r.published,
       b.inserted, b.upgraded, b.duplicates,
       CASE WHEN b.deleted > 0
            THEN r.skipped || jsonb_build_object('deleted by plays delete', b.deleted)
            ELSE r.skipped
       END AS skipped,
       r.quarantined, r.files, r.problems, r.first_played_at, r.last_played_at,
       b.batches = r.batches AS is_complete,
       api.rows AS api_rows, api.without_partner AS api_rows_without_partner,
       api.offset_p50_s, api.offset_p90_s, api.offset_p99_s,
       r.unusual_ids
FROM import_report r
CROSS JOIN LATERAL (
    SELECT count(*) AS batches,
           coalesce(sum(inserted), 0) AS inserted,
           coalesce(sum(upgraded), 0) AS upgraded,
           coalesce(sum(duplicates), 0) AS duplicates,
           coalesce(sum(deleted), 0) AS deleted
    FROM loaded_batch b
    WHERE b.origin = r.origin AND b.number < r.batches
) b
CROSS JOIN LATERAL (
    SELECT count(*) AS rows,
           count(*) FILTER (WHERE source = 'recently-played') AS without_partner,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM played_at - history_ts)) AS offset_p50_s,
           percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM played_at - history_ts)) AS offset_p90_s,
           percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM played_at - history_ts)) AS offset_p99_s
    FROM listening_history h
    WHERE h.listener = r.listener
      AND h.source <> 'extended-history'
      AND h.played_at BETWEEN r.first_played_at AND r.last_played_at
) api;

CREATE OR REPLACE VIEW reporting.data_health AS
-- Day by day by index, so that the last days come at once however long the history is.
SELECT d.listener, d.day, h.plays, h.live_plays, h.export_plays, h.both_plays,
       p.polls, p.late_plays, d.elapsed_s, k.known_s, g.open_gap_s,
       k.known_s / d.elapsed_s AS coverage,
       h.plays_with_features,
       h.plays_with_features::double precision / nullif(h.plays, 0) AS features_coverage
FROM (
    SELECT l.listener, midnight::date AS day, begins_at, ends_at, observed, missed,
           -- Never 0, which a day is in its first instant.
           greatest(1, extract(epoch FROM ends_at - begins_at)::double precision) AS elapsed_s
    FROM reporting.listener l
    CROSS JOIN LATERAL (
        -- Gaps may overlap: together they count each second once.
        SELECT coalesce(
            range_agg(tstzrange(started_at, greatest(started_at, coalesce(ended_at, now())))), '{}'
        ) AS missed
        FROM reporting.open_gap
        WHERE listener = l.listener
    ) m
    CROSS JOIN LATERAL (
        -- What an upload covers counts as it closes gaps: once all of it is loaded.
        SELECT coalesce(range_agg(tstzrange(started_at, greatest(started_at, ended_at))), '{}') AS observed
        FROM (
            SELECT span.started_at, span.ended_at
            FROM import_report r
            CROSS JOIN LATERAL jsonb_to_recordset(r.spans)
                AS span (started_at timestamptz, ended_at timestamptz)
            WHERE r.listener = l.listener
              AND r.batches = (
                  SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin AND b.number < r.batches
              )
            UNION ALL
            SELECT l.first_polled_at, l.last_polled_at
            WHERE l.first_polled_at IS NOT NULL
        ) seen
    ) o
    CROSS JOIN LATERAL generate_series(
        date_trunc('day', l.first_known_at AT TIME ZONE 'UTC'),
        now() AT TIME ZONE 'UTC',
        interval '1 day'
    ) AS midnight
    CROSS JOIN LATERAL (
        SELECT midnight AT TIME ZONE 'UTC' AS begins_at,
               least(now(), (midnight + interval '1 day') AT TIME ZONE 'UTC') AS ends_at
    ) t
) d
CROSS JOIN LATERAL (
    SELECT count(*) AS plays,
           count(*) FILTER (WHERE source = 'recently-played') AS live_plays,
           count(*) FILTER (WHERE source = 'extended-history') AS export_plays,
           count(*) FILTER (WHERE source = 'both') AS both_plays,
           count(*) FILTER (WHERE EXISTS (
               SELECT FROM track_features f
               WHERE f.track_uri = h.track_uri AND tells_sound
           )) AS plays_with_features
    FROM listening_history h
    WHERE listener = d.listener AND played_at >= d.begins_at AND played_at < d.ends_at
) h
CROSS JOIN LATERAL (
    SELECT count(*) AS polls, coalesce(sum(late), 0) AS late_plays
    FROM poll
    WHERE listener = d.listener AND polled_at >= d.begins_at AND polled_at < d.ends_at
) p
CROSS JOIN LATERAL (
    SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r))), 0)::double precision AS open_gap_s
    FROM unnest(d.missed * tstzmultirange(tstzrange(d.begins_at, d.ends_at))) AS r
) g
CROSS JOIN LATERAL (
    SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r))), 0)::double precision AS known_s
    FROM unnest((d.observed - d.missed) * tstzmultirange(tstzrange(d.begins_at, d.ends_at))) AS r
) k;

CREATE OR REPLACE VIEW derived.known AS
-- As in reporting.data_health: what was watched or uploaded, less the open gaps.
SELECT l.listener, m.missed, o.observed - m.missed AS known
FROM reporting.listener l
CROSS JOIN LATERAL (
    SELECT coalesce(
        range_agg(tstzrange(started_at, greatest(started_at, coalesce(ended_at, now())))), '{}'
    ) AS missed
    FROM reporting.open_gap
    WHERE listener = l.listener
) m
CROSS JOIN LATERAL (
    SELECT coalesce(range_agg(tstzrange(started_at, greatest(started_at, ended_at))), '{}') AS observed
    FROM (
        SELECT span.started_at, span.ended_at
        FROM import_report r
        CROSS JOIN LATERAL jsonb_to_recordset(r.spans)
            AS span (started_at timestamptz, ended_at timestamptz)
        WHERE r.listener = l.listener
          AND r.batches = (
              SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin AND b.number < r.batches
          )
        UNION ALL
        SELECT l.first_polled_at, l.last_polled_at
        WHERE l.first_polled_at IS NOT NULL
    ) seen
) o;
