-- Gaps that go on and end, what an upload covers, popularity by its own clock, and their views.
-- The release before this runs on while this one is rolled out, so nothing that it names goes.

ALTER TABLE gap
    ALTER COLUMN ended_at DROP NOT NULL,
    ADD COLUMN opened_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN closed_by text,
    ADD COLUMN closed_until timestamptz;
UPDATE gap SET opened_at = poll.polled_at FROM poll WHERE poll.origin = gap.origin;

-- A poll that was told twice, the second time later, made two rows of one gap: what the first
-- one saw is not missing.
DELETE FROM gap g USING gap earlier
WHERE earlier.listener = g.listener
  AND earlier.started_at = g.started_at
  AND earlier.ended_at < g.ended_at;
-- UNIQUE (listener, started_at, ended_at) stays: the release before names it in ON CONFLICT.
ALTER TABLE gap ADD UNIQUE (listener, started_at);

COMMENT ON COLUMN gap.ended_at IS 'The oldest play known after, an instant in UTC; NULL while it goes on, and where nothing was missed. Source: collector.';
COMMENT ON COLUMN gap.origin IS 'The poll or outage that told of it last, in the order of origins. Source: collector.';
COMMENT ON COLUMN gap.opened_at IS 'When this database first heard of it, an instant in UTC; for gaps of the first release when the poll was. Source: this database.';
COMMENT ON COLUMN gap.closed_at IS 'When this database learned that no play is missing any more, an instant in UTC; NULL while some may be. Source: this database.';
COMMENT ON COLUMN gap.closed_by IS 'The poll that saw, or the upload that holds, all that was played up to closed_until; NULL where none did. Source: loader.';
COMMENT ON COLUMN gap.closed_until IS 'No play is missing before this instant in UTC; short of ended_at where a later poll told of plays missed after it. Source: loader.';

ALTER TABLE import_report ADD COLUMN spans jsonb NOT NULL DEFAULT '[]';

COMMENT ON COLUMN import_report.spans IS 'What the files of music cover that were read whole: [{started_at, ended_at}], instants in UTC, ends of plays; a gap within one of them is closed. Source: backfill.';

ALTER TABLE track_features
    ADD COLUMN popularity            integer CHECK (popularity BETWEEN 0 AND 100),
    ADD COLUMN popularity_source     text,
    ADD COLUMN popularity_fetched_at timestamptz,
    ADD COLUMN tells_sound           boolean NOT NULL GENERATED ALWAYS AS (num_nonnulls(
        danceability, energy, key, loudness, mode, speechiness, acousticness,
        instrumentalness, liveness, valence, tempo, time_signature
    ) > 0) STORED;

COMMENT ON COLUMN track_features.popularity IS '0 to 100, as of popularity_fetched_at; NULL when unknown. Source: see column popularity_source.';
COMMENT ON COLUMN track_features.popularity_source IS 'Who told the popularity: reccobeats or spotify. Source: this pipeline.';
COMMENT ON COLUMN track_features.popularity_fetched_at IS 'When the popularity was asked for, an instant in UTC. Source: this pipeline.';
COMMENT ON COLUMN track_features.tells_sound IS 'Whether it is known how the track sounds, be it in part. Source: this database.';
COMMENT ON COLUMN track_features.duration_ms IS 'Length of the track, milliseconds; the greatest that was told. Source: reccobeats or spotify.';
COMMENT ON COLUMN track_features.source IS 'Who measured all of the sound: reccobeats or spotify; where nobody did, who answered last. Source: this pipeline.';
COMMENT ON COLUMN track_features.fetched_at IS 'When source was asked, an instant in UTC. Source: this pipeline.';

-- Plays that wait for the popularity of their track; where the source answers they are none.
CREATE INDEX listening_history_waiting ON listening_history (track_uri) WHERE popularity IS NULL;
CREATE INDEX merged_record_waiting ON merged_record (track_uri) WHERE popularity IS NULL;

GRANT UPDATE ON gap TO loader;

CREATE VIEW reporting.listener AS
-- From one name to the next by index: to look at every play for its listener would take seconds.
WITH RECURSIVE known (listener) AS (
    SELECT least((SELECT min(listener) FROM listening_history), (SELECT min(listener) FROM poll))
    UNION ALL
    SELECT least(
        (SELECT min(h.listener) FROM listening_history h WHERE h.listener > known.listener),
        (SELECT min(p.listener) FROM poll p WHERE p.listener > known.listener)
    )
    FROM known
    WHERE listener IS NOT NULL
)
SELECT listener, least(played.first_at, polled.first_at) AS first_known_at,
       played.last_at AS last_played_at,
       polled.first_at AS first_polled_at, polled.last_at AS last_polled_at
FROM known
CROSS JOIN LATERAL (
    SELECT min(played_at) AS first_at, max(played_at) AS last_at
    FROM listening_history h
    WHERE h.listener = known.listener
) played
CROSS JOIN LATERAL (
    SELECT min(polled_at) AS first_at, max(polled_at) AS last_at
    FROM poll p
    WHERE p.listener = known.listener
) polled
WHERE listener IS NOT NULL;

COMMENT ON VIEW reporting.listener IS 'One row per listener of whom a play or a poll is known.';
COMMENT ON COLUMN reporting.listener.listener IS 'Short name given at deployment. Source: this pipeline.';
COMMENT ON COLUMN reporting.listener.first_known_at IS 'The first play or poll, an instant in UTC. Source: listening_history, poll.';
COMMENT ON COLUMN reporting.listener.last_played_at IS 'END of the last play, an instant in UTC; NULL before the first. Source: listening_history.';
COMMENT ON COLUMN reporting.listener.first_polled_at IS 'The first poll that Spotify answered, an instant in UTC; NULL before it. Source: poll.';
COMMENT ON COLUMN reporting.listener.last_polled_at IS 'The last poll that Spotify answered, an instant in UTC; NULL before the first. Source: poll.';

CREATE VIEW reporting.open_gap AS
SELECT listener, greatest(started_at, closed_until) AS started_at, ended_at,
       ended_at IS NULL AS goes_on,
       -- Never negative, whatever the clocks said.
       greatest(0, extract(epoch FROM coalesce(ended_at, now()) - greatest(started_at, closed_until)))::double precision AS length_s,
       reason, origin, opened_at
FROM gap
WHERE closed_at IS NULL;

COMMENT ON VIEW reporting.open_gap IS 'Stretches of time in which plays may be missing still: no later poll and no upload has shown all of them.';
COMMENT ON COLUMN reporting.open_gap.listener IS 'Whose plays may be missing. Source: collector.';
COMMENT ON COLUMN reporting.open_gap.started_at IS 'No play is missing before, an instant in UTC. Source: collector.';
COMMENT ON COLUMN reporting.open_gap.ended_at IS 'The oldest play known after, an instant in UTC; NULL while it goes on. Source: collector.';
COMMENT ON COLUMN reporting.open_gap.goes_on IS 'Whether it has not ended yet. Source: collector.';
COMMENT ON COLUMN reporting.open_gap.length_s IS 'How long it is by now, seconds. Source: collector.';
COMMENT ON COLUMN reporting.open_gap.reason IS 'What made it possible to miss plays. Source: collector.';
COMMENT ON COLUMN reporting.open_gap.origin IS 'The poll or outage that told of it last. Source: collector.';
COMMENT ON COLUMN reporting.open_gap.opened_at IS 'When this database first heard of it, an instant in UTC. Source: this database.';

CREATE VIEW reporting.data_health AS
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
              AND r.batches = (SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin)
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

COMMENT ON VIEW reporting.data_health IS 'One row per listener and day (UTC) from the first known play or poll to today: how much is known, from whom, and for how much of the day somebody watched. The last days come in milliseconds, all of 1,000,000 plays in about two seconds.';
COMMENT ON COLUMN reporting.data_health.listener IS 'Short name given at deployment. Source: this pipeline.';
COMMENT ON COLUMN reporting.data_health.day IS 'The day in UTC; plays count on the day they ended. Source: this view.';
COMMENT ON COLUMN reporting.data_health.plays IS 'Plays that ended on the day, skips included. Source: listening_history.';
COMMENT ON COLUMN reporting.data_health.live_plays IS 'Those of them that only the API told of. Source: listening_history.';
COMMENT ON COLUMN reporting.data_health.export_plays IS 'Those of them that only an export told of. Source: listening_history.';
COMMENT ON COLUMN reporting.data_health.both_plays IS 'Those of them that both told of. Source: listening_history.';
COMMENT ON COLUMN reporting.data_health.polls IS 'Polls of the day that Spotify answered. Source: poll.';
COMMENT ON COLUMN reporting.data_health.late_plays IS 'Plays that these polls found late: older than one already known. Source: poll.';
COMMENT ON COLUMN reporting.data_health.elapsed_s IS 'Seconds of the day that have passed: 86,400 but for today. Source: this view.';
COMMENT ON COLUMN reporting.data_health.known_s IS 'Those of them in which no play is missing: within an upload that is all loaded or between the first poll and the last, and in no open gap, seconds. Source: import_report, poll, gap.';
COMMENT ON COLUMN reporting.data_health.open_gap_s IS 'Those of them in which live capture may have missed plays that nothing has shown since, seconds; what is in neither was never watched. Source: gap.';
COMMENT ON COLUMN reporting.data_health.coverage IS 'Share of the elapsed day in which no play is missing, 0 to 1: known_s / elapsed_s. Source: this view.';
COMMENT ON COLUMN reporting.data_health.plays_with_features IS 'Plays of whose track it is known how it sounds. Source: track_features.';
COMMENT ON COLUMN reporting.data_health.features_coverage IS 'The same as a share of the plays, 0 to 1; NULL on a day without plays. Source: track_features.';

GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO reader;
