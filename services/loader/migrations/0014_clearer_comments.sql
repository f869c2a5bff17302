-- The same facts in plainer words, for whoever reads them in a SQL client.

COMMENT ON COLUMN listening_history.ms_played IS 'How long it was played, milliseconds; NULL if only the API has returned the play, because the API never gives a length. Source: export ms_played.';
COMMENT ON COLUMN listening_history.history_ts IS 'END of the play in the export, an instant in UTC, whole seconds; NULL if no export holds the play. Source: export ts.';
COMMENT ON COLUMN merged_record.played_at IS 'END of the play in this record, an instant in UTC. Source: recently-played played_at or export ts.';
COMMENT ON COLUMN track_features.duration_ms IS 'Length of the track, milliseconds; the greatest of all answers. Source: reccobeats or spotify.';
COMMENT ON COLUMN track_features.source IS 'The source of all audio features, reccobeats or spotify; if there are none, the source that answered last. Source: this pipeline.';
COMMENT ON COLUMN track_features.popularity_source IS 'The source of the popularity, reccobeats or spotify. Source: this pipeline.';
COMMENT ON COLUMN track_features.tells_sound IS 'Whether any audio feature is known. Source: this database.';
COMMENT ON COLUMN gap.origin IS 'The last poll or outage that reported it, in the order of origins. Source: collector.';
COMMENT ON COLUMN gap.opened_at IS 'When this database stored it first, an instant in UTC; for gaps of the first release, the time of the poll. Source: this database.';
COMMENT ON COLUMN gap.closed_until IS 'No play is missing before this instant in UTC; earlier than ended_at if a later poll reported missing plays after it. Source: loader.';
COMMENT ON COLUMN reporting.import_result.api_rows IS 'Rows from the API within the time of the upload. Source: listening_history.';
COMMENT ON COLUMN reporting.import_result.offset_p50_s IS 'Median of played_at - history_ts of rows from both the API and an export, seconds. Source: listening_history.';
COMMENT ON COLUMN reporting.open_gap.origin IS 'The last poll or outage that reported it. Source: collector.';
COMMENT ON COLUMN reporting.open_gap.opened_at IS 'When this database stored it first, an instant in UTC. Source: this database.';
COMMENT ON VIEW reporting.data_health IS 'One row per listener and day (UTC) from the first known play or poll to today: how many plays are known, from which source, and the share of the day in which no play is missing. The last days take milliseconds, all of 1,000,000 plays about six seconds.';
COMMENT ON COLUMN reporting.data_health.live_plays IS 'Those of them that only the API returned. Source: listening_history.';
COMMENT ON COLUMN reporting.data_health.export_plays IS 'Those of them that only an export holds. Source: listening_history.';
COMMENT ON COLUMN reporting.data_health.both_plays IS 'Those of them from both the API and an export. Source: listening_history.';
COMMENT ON COLUMN reporting.streaks.is_current IS 'Whether it reaches yesterday or today, dates without knowledge in between included. Source: this view.';
