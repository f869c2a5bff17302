-- Plays of an upload whose track ids have an unusual form. The release before this runs on while
-- this one is rolled out: its uploads count none.

ALTER TABLE import_report ADD COLUMN unusual_ids integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN import_report.unusual_ids IS 'Plays published whose track id is not 22 letters and digits; they are loaded like the others. Source: backfill.';

-- A view may only gain columns at its end while others read it.
CREATE OR REPLACE VIEW reporting.import_result AS
SELECT r.origin, r.listener, r.reported_at, r.rows_in, r.published,
       b.inserted, b.upgraded, b.duplicates,
       r.skipped, r.quarantined, r.files, r.problems, r.first_played_at, r.last_played_at,
       b.batches = r.batches AS is_complete,
       api.rows AS api_rows, api.without_partner AS api_rows_without_partner,
       api.offset_p50_s, api.offset_p90_s, api.offset_p99_s,
       r.unusual_ids
FROM import_report r
CROSS JOIN LATERAL (
    SELECT count(*) AS batches,
           coalesce(sum(inserted), 0) AS inserted,
           coalesce(sum(upgraded), 0) AS upgraded,
           coalesce(sum(duplicates), 0) AS duplicates
    FROM loaded_batch b
    WHERE b.origin = r.origin
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

COMMENT ON COLUMN reporting.import_result.unusual_ids IS 'Plays published whose track id is not 22 letters and digits; they are loaded like the others. Source: backfill.';
