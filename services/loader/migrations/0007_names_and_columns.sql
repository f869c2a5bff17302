-- A name stays as long as a figure is shown under it, many changed tracks make only the months stale
-- in which they were played, and the views get columns that they lacked.

-- The release before takes this lock before it writes. Without it, a load of that release and this
-- migration could deadlock.
SELECT pg_advisory_xact_lock(hashtextextended('write', 0));

ALTER TABLE derived.name ADD COLUMN is_unused boolean NOT NULL DEFAULT false;
CREATE INDEX name_unused ON derived.name (item_id) WHERE is_unused;
COMMENT ON TABLE derived.name IS 'The spelling of each artist, track and album (kind), as derived.plain_name chooses it. One that no track carries any more (is_unused) stays until no figure is shown under it.';

CREATE OR REPLACE FUNCTION derived.choose_names(uris text[]) RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off
-- Its caller has switched it off.
SET enable_hashjoin = on
SET plan_cache_mode = force_generic_plan
SET work_mem = '32MB'
AS $$
DECLARE
    items bigint[];
    moved text[];
BEGIN
    -- One uri after the other: a hash index compares each row that it finds with all of an array.
    WITH fresh AS MATERIALIZED (
        SELECT p.*
        FROM unnest(uris) AS asked (track_uri)
        CROSS JOIN LATERAL (
            SELECT * FROM derived.plain_track WHERE track_uri = asked.track_uri OFFSET 0
        ) p
        UNION ALL
        SELECT * FROM derived.plain_track WHERE uris IS NULL
    ),
    old AS MATERIALIZED (
        SELECT t.*
        FROM unnest(uris) AS asked (track_uri)
        CROSS JOIN LATERAL (
            SELECT * FROM derived.track WHERE track_uri = asked.track_uri OFFSET 0
        ) t
        UNION ALL
        SELECT * FROM derived.track WHERE uris IS NULL
    ),
    gone AS (
        DELETE FROM derived.track t
        USING old
        WHERE t.track_uri = old.track_uri
          AND NOT EXISTS (SELECT FROM fresh WHERE fresh.track_uri = t.track_uri)
    ),
    kept AS (
        INSERT INTO derived.track AS t
        TABLE fresh EXCEPT TABLE old
        ON CONFLICT (track_uri) DO UPDATE SET
            (artist_name, track_name, album_name, artist_id, track_id, album_id) =
            (excluded.artist_name, excluded.track_name, excluded.album_name, excluded.artist_id,
             excluded.track_id, excluded.album_id)
    ),
    changed AS (
        SELECT * FROM (TABLE fresh EXCEPT TABLE old) added
        UNION ALL
        SELECT * FROM (TABLE old EXCEPT TABLE fresh) removed
    )
    SELECT (SELECT array_agg(DISTINCT item_id)
            FROM changed, unnest(ARRAY[artist_id, track_id, album_id]) AS item_id),
           (SELECT array_agg(fresh.track_uri)
            FROM fresh
            JOIN old USING (track_uri)
            WHERE (fresh.artist_id, fresh.track_id, fresh.album_id)
                  IS DISTINCT FROM (old.artist_id, old.track_id, old.album_id))
    INTO items, moved;
    IF uris IS NULL THEN
        items := ARRAY(
            SELECT unnest(ARRAY[artist_id, track_id, album_id]) FROM derived.track
            UNION
            SELECT item_id FROM derived.name
        );
    END IF;

    -- Until its months are computed, figures are shown under it.
    UPDATE derived.name n SET is_unused = true
    WHERE n.item_id = ANY (items)
      AND NOT EXISTS (SELECT FROM derived.track t WHERE t.artist_id = n.item_id)
      AND NOT EXISTS (SELECT FROM derived.track t WHERE t.track_id = n.item_id)
      AND NOT EXISTS (SELECT FROM derived.track t WHERE t.album_id = n.item_id);
    INSERT INTO derived.name AS n (item_id, kind, artist_id, name)
    SELECT item_id, kind, artist_id, name FROM derived.plain_name WHERE item_id = ANY (items)
    ON CONFLICT (item_id) DO UPDATE SET name = excluded.name, is_unused = false
    WHERE n.name <> excluded.name OR n.is_unused;
    RETURN moved;
END $$;

CREATE FUNCTION derived.make_months_stale(uris text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
-- Few tracks are found by index, many sooner by reading all plays; its caller allows the first only.
SET enable_seqscan = on
SET enable_hashjoin = on
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    INSERT INTO derived.stale_month
    SELECT DISTINCT h.listener,
           date_trunc('month', h.played_at AT TIME ZONE coalesce(s.time_zone, 'UTC'))::date
    FROM unnest(uris) AS changed (track_uri)
    JOIN public.listening_history h USING (track_uri)
    LEFT JOIN public.listener_setting s USING (listener)
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION derived.make_months_stale IS 'Make each month stale in which a listener played one of the tracks.';

CREATE OR REPLACE FUNCTION derived.read_marks() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    most_tracks CONSTANT integer := 5000;
    marked derived.mark[];
    uris text[];
    moved text[];
BEGIN
    -- The plays are read in later statements, which see at least those whose marks this one sees.
    WITH read AS (
        DELETE FROM derived.mark RETURNING listener, played_on, track_uri
    )
    SELECT array_agg((listener, played_on, track_uri, NULL)::derived.mark) INTO marked
    FROM (SELECT DISTINCT listener, played_on, track_uri FROM read) different;
    IF marked IS NULL THEN
        RETURN;
    END IF;

    -- New names come with plays of a marked date; where a play is gone, its track is marked.
    SELECT array_agg(DISTINCT u.track_uri) INTO uris
    FROM (
        -- A mark of a track alone is of its features, which change no name.
        SELECT m.track_uri
        FROM unnest(marked) m
        WHERE m.track_uri IS NOT NULL AND m.listener IS NOT NULL
        UNION ALL
        SELECT h.track_uri
        FROM (SELECT DISTINCT listener, played_on FROM unnest(marked) WHERE played_on IS NOT NULL) m
        CROSS JOIN LATERAL (
            SELECT h.track_uri, h.artist_name, h.track_name, h.album_name
            FROM public.listening_history h
            WHERE h.listener = m.listener
              AND h.played_at >= m.played_on::timestamp AT TIME ZONE 'UTC'
              AND h.played_at < (m.played_on + 1)::timestamp AT TIME ZONE 'UTC'
            OFFSET 0
        ) h
        LEFT JOIN derived.track t USING (track_uri)
        WHERE (h.artist_name, h.track_name, h.album_name)
              IS DISTINCT FROM (t.artist_name, t.track_name, t.album_name)
    ) u;
    IF uris IS NOT NULL THEN
        -- The names of so many are chosen sooner together with all others than one by one.
        moved := derived.choose_names(CASE WHEN cardinality(uris) <= most_tracks THEN uris END);
    END IF;

    INSERT INTO derived.stale_month
    -- The plays of a date in UTC are of two months at most, and the play after them has its
    -- estimate and its session from the one before it.
    SELECT m.listener, date_trunc('month', instant AT TIME ZONE coalesce(s.time_zone, 'UTC'))::date
    FROM (SELECT DISTINCT listener, played_on FROM unnest(marked) WHERE played_on IS NOT NULL) m
    LEFT JOIN public.listener_setting s USING (listener)
    CROSS JOIN LATERAL (
        SELECT m.played_on::timestamp AT TIME ZONE 'UTC' AS instant
        UNION ALL
        SELECT (m.played_on + 1)::timestamp AT TIME ZONE 'UTC'
        UNION ALL
        SELECT min(h.played_at)
        FROM public.listening_history h
        WHERE h.listener = m.listener
          AND h.played_at >= (m.played_on + 1)::timestamp AT TIME ZONE 'UTC'
    ) i
    WHERE instant IS NOT NULL
    ON CONFLICT DO NOTHING;

    PERFORM derived.make_months_stale(
        moved || ARRAY(SELECT m.track_uri FROM unnest(marked) m WHERE m.listener IS NULL)
    );

    IF EXISTS (SELECT FROM unnest(marked) m WHERE m.track_uri IS NULL AND m.played_on IS NULL) THEN
        INSERT INTO derived.stale_month
        SELECT a.listener, a.listened_month
        FROM derived.all_months a
        WHERE a.listener = ANY (
            ARRAY(SELECT m.listener FROM unnest(marked) m WHERE m.track_uri IS NULL AND m.played_on IS NULL)
        )
        ON CONFLICT DO NOTHING;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION derived.compute_items() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET work_mem = '32MB'
AS $$
DECLARE
    most_items CONSTANT integer := 20000;
    listeners text[];
BEGIN
    -- So many are computed sooner with all others of their listeners than one by one.
    IF (SELECT count(*) FROM derived.stale_item) > most_items THEN
        listeners := ARRAY(SELECT DISTINCT listener FROM derived.stale_item);
        DELETE FROM derived.item WHERE listener = ANY (listeners);
        INSERT INTO derived.item SELECT * FROM derived.plain_item WHERE listener = ANY (listeners);
    ELSE
        DELETE FROM derived.item i
        USING derived.stale_item s
        WHERE i.listener = s.listener AND i.item_id = s.item_id;
        INSERT INTO derived.item
        SELECT p.*
        FROM derived.stale_item s
        CROSS JOIN LATERAL (
            SELECT * FROM derived.plain_item
            WHERE listener = s.listener AND item_id = s.item_id
            OFFSET 0
        ) p;
    END IF;
    DELETE FROM derived.stale_item;
    -- No month is stale here, so that no row is left under them.
    DELETE FROM derived.name WHERE is_unused;
END $$;
COMMENT ON FUNCTION derived.compute_items IS 'Compute the rows of all time of the items whose months changed, and delete the names that no row is shown under. Only where no month is stale.';

-- read_marks, which switches them off, does not call it any more.
ALTER FUNCTION derived.rebuild RESET enable_seqscan;
ALTER FUNCTION derived.rebuild RESET enable_hashjoin;
ALTER FUNCTION derived.rebuild RESET enable_mergejoin;

REVOKE EXECUTE ON FUNCTION derived.make_months_stale FROM PUBLIC;

CREATE OR REPLACE VIEW reporting.plays AS
SELECT listener,
       listened_at_local::date AS listened_date,
       date_trunc('month', listened_at_local)::date AS listened_month,
       listened_at_local,
       ended_at - ms * interval '1 ms' AS started_at,
       ended_at,
       extract(hour FROM listened_at_local)::integer AS hour,
       extract(isodow FROM listened_at_local)::integer AS weekday,
       artist_name, album_name, track_name, track_uri, track_id, artist_id, album_id,
       ms,
       round(ms / 60000.0, 4) AS minutes,
       ms_played IS NULL AS minutes_are_estimated,
       CASE WHEN source <> 'recently-played'
            THEN ms_played < 30000 OR coalesce(skipped, false)
       END AS is_skip,
       1 AS plays_all,
       (ms >= 30000)::integer AS plays_30s,
       (likely_length_ms >= 30000 AND ms >= least(240000, likely_length_ms / 2.0))::integer AS plays_half,
       (coalesce(reason_end = 'trackdone', false)
        OR coalesce(ms >= length_ms - 2000, false))::integer AS plays_done,
       length_ms, popularity,
       danceability, energy, key, loudness, mode, speechiness, acousticness, instrumentalness,
       liveness, valence, tempo, time_signature,
       platform, country, reason_start, reason_end, shuffle, offline, incognito, context_uri, source,
       substring(context_uri FROM '^spotify:(?:user:[^:]+:)?([a-z]+)') AS context_type
FROM (
    SELECT h.listener, h.played_at AS ended_at, h.track_uri, h.ms_played, h.source, h.skipped,
           h.popularity, h.platform, h.country, h.reason_start, h.reason_end, h.shuffle, h.offline,
           h.incognito, h.context_uri,
           h.played_at AT TIME ZONE coalesce(s.time_zone, 'UTC') AS listened_at_local,
           coalesce(h.duration_ms, f.duration_ms) AS length_ms,
           coalesce(h.duration_ms, f.duration_ms, 210000) AS likely_length_ms,
           -- A live play cannot have begun before the play before it ended, and Spotify shows
           -- none of less than 30 s.
           coalesce(h.ms_played, greatest(30000, least(
               coalesce(h.duration_ms, f.duration_ms, 210000),
               floor(extract(epoch FROM h.played_at - before.ended_at) * 1000)
           )))::bigint AS ms,
           t.track_id, t.artist_id, t.album_id,
           -- A play that no refresh has seen yet shows its own names.
           coalesce(artist.name, h.artist_name) AS artist_name,
           CASE WHEN t.track_uri IS NULL THEN h.album_name ELSE album.name END AS album_name,
           coalesce(track.name, h.track_name) AS track_name,
           f.danceability, f.energy, f.key, f.loudness, f.mode, f.speechiness, f.acousticness,
           f.instrumentalness, f.liveness, f.valence, f.tempo, f.time_signature
    FROM listening_history h
    LEFT JOIN listener_setting s ON s.listener = h.listener
    LEFT JOIN track_features f ON f.track_uri = h.track_uri
    LEFT JOIN derived.track t ON t.track_uri = h.track_uri
    LEFT JOIN derived.name artist ON artist.item_id = t.artist_id
    LEFT JOIN derived.name album ON album.item_id = t.album_id
    LEFT JOIN derived.name track ON track.item_id = t.track_id
    CROSS JOIN LATERAL (
        SELECT max(played_at) AS ended_at
        FROM listening_history
        WHERE h.ms_played IS NULL AND listener = h.listener AND played_at < h.played_at
    ) before
) play;

CREATE OR REPLACE VIEW reporting.skips_by_month AS
SELECT listener, listened_month, plays_all, skips, skips_known,
       round(skips::numeric / nullif(skips_known, 0), 4) AS skip_rate,
       plays_30s, plays_half, plays_done,
       ms, ms_estimated,
       round(ms / 60000.0, 2) AS minutes, round(ms_estimated / 60000.0, 2) AS minutes_estimated
FROM derived.month;

CREATE OR REPLACE VIEW reporting.discovery AS
-- One subquery per column, so that a question pays only for what it asks.
SELECT m.listener, m.listened_month,
       (SELECT count(*) FROM derived.item_month i
        WHERE i.listener = m.listener AND i.listened_month = m.listened_month AND i.kind = 'artist') AS artists,
       (SELECT count(*) FROM derived.item i
        WHERE i.listener = m.listener AND i.first_month = m.listened_month AND i.kind = 'artist') AS new_artists,
       (SELECT count(*) FROM derived.item_month i
        WHERE i.listener = m.listener AND i.listened_month = m.listened_month AND i.kind = 'track') AS tracks,
       (SELECT count(*) FROM derived.item i
        WHERE i.listener = m.listener AND i.first_month = m.listened_month AND i.kind = 'track') AS new_tracks,
       (SELECT count(*) FROM derived.item_month i
        WHERE i.listener = m.listener AND i.listened_month = m.listened_month AND i.kind = 'album') AS albums,
       (SELECT count(*) FROM derived.item i
        WHERE i.listener = m.listener AND i.first_month = m.listened_month AND i.kind = 'album') AS new_albums,
       m.plays_all,
       (SELECT coalesce(sum(i.first_month_plays), 0)::bigint FROM derived.item i
        WHERE i.listener = m.listener AND i.first_month = m.listened_month AND i.kind = 'artist') AS plays_of_new_artists,
       (SELECT coalesce(sum(i.first_month_plays), 0)::bigint FROM derived.item i
        WHERE i.listener = m.listener AND i.first_month = m.listened_month AND i.kind = 'track') AS plays_of_new_tracks,
       m.plays_30s, m.plays_half, m.plays_done,
       m.ms, m.ms_estimated,
       round(m.ms / 60000.0, 2) AS minutes, round(m.ms_estimated / 60000.0, 2) AS minutes_estimated
FROM derived.month m;

CREATE OR REPLACE VIEW reporting.diversity AS
SELECT d.listener, d.listened_month, d.artists, d.tracks, d.albums, d.plays_all,
       (SELECT round(sum(plays_all) / d.plays_all, 4)
        FROM (
            SELECT m.plays_all
            FROM derived.item_month m
            WHERE m.listener = d.listener AND m.listened_month = d.listened_month AND m.kind = 'artist'
            ORDER BY m.plays_all DESC
            LIMIT 10
        ) top
       ) AS top10_artists_share,
       round(d.tracks::numeric / nullif(d.artists, 0), 4) AS tracks_per_artist,
       round(d.plays_all::numeric / nullif(d.tracks, 0), 4) AS plays_per_track,
       round(d.new_tracks::numeric / nullif(d.tracks, 0), 4) AS new_tracks_share,
       d.plays_30s, d.plays_half, d.plays_done,
       d.ms, d.ms_estimated, d.minutes, d.minutes_estimated
FROM reporting.discovery d;

-- A statement that selects no column of the joined sums does not compute them.
CREATE OR REPLACE VIEW reporting.mood_by_hour AS
SELECT listener, listened_month, hour, plays_all, plays_with_features,
       round(plays_with_features::numeric / plays_all, 4) AS features_coverage,
       round(danceability_sum / nullif(danceability_plays * 1000000.0, 0), 4) AS danceability,
       round(energy_sum / nullif(energy_plays * 1000000.0, 0), 4) AS energy,
       round(valence_sum / nullif(valence_plays * 1000000.0, 0), 4) AS valence,
       round(acousticness_sum / nullif(acousticness_plays * 1000000.0, 0), 4) AS acousticness,
       round(instrumentalness_sum / nullif(instrumentalness_plays * 1000000.0, 0), 4) AS instrumentalness,
       round(speechiness_sum / nullif(speechiness_plays * 1000000.0, 0), 4) AS speechiness,
       round(liveness_sum / nullif(liveness_plays * 1000000.0, 0), 4) AS liveness,
       round(loudness_sum / nullif(loudness_plays * 1000000.0, 0), 4) AS loudness,
       round(tempo_sum / nullif(tempo_plays * 1000000.0, 0), 4) AS tempo,
       round(mode_sum::numeric / nullif(mode_plays, 0), 4) AS share_major,
       plays_30s, plays_half, plays_done, ms, ms_estimated,
       round(ms / 60000.0, 2) AS minutes, round(ms_estimated / 60000.0, 2) AS minutes_estimated,
       danceability_plays, energy_plays, valence_plays, acousticness_plays,
       instrumentalness_plays, speechiness_plays, liveness_plays, loudness_plays,
       tempo_plays, mode_plays AS share_major_plays
FROM derived.mood
LEFT JOIN (
    SELECT listener, listened_month, hour,
           sum(plays_30s)::bigint AS plays_30s, sum(plays_half)::bigint AS plays_half,
           sum(plays_done)::bigint AS plays_done,
           sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated
    FROM derived.hour
    GROUP BY listener, listened_month, hour
) h USING (listener, listened_month, hour);

CREATE OR REPLACE VIEW reporting.mood_by_month AS
SELECT s.listener, s.listened_month, s.plays_all, plays_with_features, features_coverage,
       danceability, energy, valence, acousticness, instrumentalness, speechiness, liveness, loudness,
       tempo, share_major,
       m.plays_30s, m.plays_half, m.plays_done, m.ms, m.ms_estimated,
       round(m.ms / 60000.0, 2) AS minutes, round(m.ms_estimated / 60000.0, 2) AS minutes_estimated,
       danceability_plays, energy_plays, valence_plays, acousticness_plays,
       instrumentalness_plays, speechiness_plays, liveness_plays, loudness_plays,
       tempo_plays, share_major_plays
FROM (
    SELECT listener, listened_month, sum(plays_all)::bigint AS plays_all,
           sum(plays_with_features)::bigint AS plays_with_features,
           round(sum(plays_with_features) / sum(plays_all), 4) AS features_coverage,
           round(sum(danceability_sum) / nullif(sum(danceability_plays) * 1000000, 0), 4) AS danceability,
           round(sum(energy_sum) / nullif(sum(energy_plays) * 1000000, 0), 4) AS energy,
           round(sum(valence_sum) / nullif(sum(valence_plays) * 1000000, 0), 4) AS valence,
           round(sum(acousticness_sum) / nullif(sum(acousticness_plays) * 1000000, 0), 4) AS acousticness,
           round(sum(instrumentalness_sum) / nullif(sum(instrumentalness_plays) * 1000000, 0), 4) AS instrumentalness,
           round(sum(speechiness_sum) / nullif(sum(speechiness_plays) * 1000000, 0), 4) AS speechiness,
           round(sum(liveness_sum) / nullif(sum(liveness_plays) * 1000000, 0), 4) AS liveness,
           round(sum(loudness_sum) / nullif(sum(loudness_plays) * 1000000, 0), 4) AS loudness,
           round(sum(tempo_sum) / nullif(sum(tempo_plays) * 1000000, 0), 4) AS tempo,
           round(sum(mode_sum) / nullif(sum(mode_plays), 0), 4) AS share_major,
           sum(danceability_plays)::bigint AS danceability_plays, sum(energy_plays)::bigint AS energy_plays,
           sum(valence_plays)::bigint AS valence_plays, sum(acousticness_plays)::bigint AS acousticness_plays,
           sum(instrumentalness_plays)::bigint AS instrumentalness_plays, sum(speechiness_plays)::bigint AS speechiness_plays,
           sum(liveness_plays)::bigint AS liveness_plays, sum(loudness_plays)::bigint AS loudness_plays,
           sum(tempo_plays)::bigint AS tempo_plays, sum(mode_plays)::bigint AS share_major_plays
    FROM derived.mood
    GROUP BY listener, listened_month
) s
LEFT JOIN derived.month m USING (listener, listened_month);

COMMENT ON VIEW reporting.mood_by_month IS 'How the music of a month sounds: averages over plays, each over the plays of which the feature is known. To average several months, weigh each feature by its own plays, such as energy by energy_plays.';
COMMENT ON VIEW reporting.mood_by_hour IS 'How the music of an hour of the day sounds in each month: averages over plays, each over the plays of which the feature is known. To average several rows, weigh each feature by its own plays, such as energy by energy_plays.';

-- A new column means what it means in a view that has it already, or it counts the plays behind an
-- average.
DO $$
DECLARE
    col record;
BEGIN
    FOR col IN
        SELECT c.oid::regclass AS view, a.attname,
               coalesce(
                   col_description(known.attrelid, known.attnum),
                   format('Plays for which %s is known. Source: track_features.',
                          regexp_replace(a.attname, '_plays$', ''))
               ) AS meaning
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attribute known
          ON known.attname = a.attname
         AND known.attrelid = CASE a.attname
                 WHEN 'context_type' THEN 'reporting.where_and_how'::regclass
                 ELSE 'reporting.artists_by_month'::regclass
             END
        WHERE c.relnamespace = 'reporting'::regnamespace
          AND c.relkind = 'v'
          AND col_description(c.oid, a.attnum) IS NULL
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', col.view, col.attname, col.meaning);
    END LOOP;
END $$;
