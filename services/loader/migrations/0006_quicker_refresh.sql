-- A quicker refresh: no rank is stored, names are folded once per track, and a rebuild keeps what is
-- shown until the new figures are there. The views get the columns that they lacked.

-- The release before takes this lock before it writes. Without it, a load of that release and this
-- migration could deadlock.
SELECT pg_advisory_xact_lock(hashtextextended('write', 0));

-- Postgres does not inline a STRICT function. fold(NULL) is still NULL.
ALTER FUNCTION derived.fold CALLED ON NULL INPUT;

CREATE OR REPLACE VIEW derived.plain_track AS
-- The names of a track: the API names the artist of the track, an export that of the album.
SELECT track_uri, artist_name, track_name, album_name,
       hashtextextended(artist_key, 1) AS artist_id,
       hashtextextended(artist_key || E'\x1f' || derived.fold(track_name), 2) AS track_id,
       hashtextextended(artist_key || E'\x1f' || derived.fold(album_name), 3) AS album_id
FROM (
    SELECT *, derived.fold(artist_name) AS artist_key
    FROM (
        SELECT DISTINCT ON (track_uri) track_uri, artist_name, track_name, album_name
        FROM listening_history
        ORDER BY track_uri, (source = 'extended-history'), played_at DESC, id DESC
    ) latest
) keyed;

CREATE OR REPLACE VIEW reporting.artist_rank_by_month AS
SELECT m.listener, m.listened_month, n.name AS artist_name, m.item_id AS artist_id,
       m.plays_all, m.plays_30s, m.plays_half, m.plays_done, m.ms, m.ms_estimated,
       round(m.ms / 60000.0, 2) AS minutes, round(m.ms_estimated / 60000.0, 2) AS minutes_estimated,
       rank() OVER (month ORDER BY m.plays_all DESC) AS rank_all,
       rank() OVER (month ORDER BY m.plays_30s DESC) AS rank_30s,
       rank() OVER (month ORDER BY m.plays_half DESC) AS rank_half,
       rank() OVER (month ORDER BY m.plays_done DESC) AS rank_done,
       rank() OVER (month ORDER BY m.ms DESC) AS rank_minutes
FROM derived.item_month m
LEFT JOIN derived.name n ON n.item_id = m.item_id
WHERE m.kind = 'artist'
WINDOW month AS (PARTITION BY m.listener, m.listened_month);

CREATE OR REPLACE VIEW reporting.track_rank_by_month AS
SELECT m.listener, m.listened_month, a.name AS artist_name, n.name AS track_name,
       m.item_id AS track_id, m.artist_id,
       m.plays_all, m.plays_30s, m.plays_half, m.plays_done, m.ms, m.ms_estimated,
       round(m.ms / 60000.0, 2) AS minutes, round(m.ms_estimated / 60000.0, 2) AS minutes_estimated,
       rank() OVER (month ORDER BY m.plays_all DESC) AS rank_all,
       rank() OVER (month ORDER BY m.plays_30s DESC) AS rank_30s,
       rank() OVER (month ORDER BY m.plays_half DESC) AS rank_half,
       rank() OVER (month ORDER BY m.plays_done DESC) AS rank_done,
       rank() OVER (month ORDER BY m.ms DESC) AS rank_minutes
FROM derived.item_month m
LEFT JOIN derived.name n ON n.item_id = m.item_id
LEFT JOIN derived.name a ON a.item_id = m.artist_id
WHERE m.kind = 'track'
WINDOW month AS (PARTITION BY m.listener, m.listened_month);

CREATE OR REPLACE VIEW reporting.skips_by_month AS
SELECT listener, listened_month, plays_all, skips, skips_known,
       round(skips::numeric / nullif(skips_known, 0), 4) AS skip_rate,
       plays_30s, plays_half, plays_done
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
       m.plays_30s, m.plays_half, m.plays_done
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
       d.plays_30s, d.plays_half, d.plays_done
FROM reporting.discovery d;

CREATE OR REPLACE VIEW reporting.artists AS
SELECT i.listener, n.name AS artist_name, i.item_id AS artist_id,
       i.plays_all, i.plays_30s, i.plays_half, i.plays_done, i.ms, i.ms_estimated,
       round(i.ms / 60000.0, 2) AS minutes, round(i.ms_estimated / 60000.0, 2) AS minutes_estimated,
       i.first_heard_at, i.last_heard_at, i.first_heard_on, i.last_heard_on,
       i.last_heard_on - i.first_heard_on AS days_between, i.months_heard, i.most_in_a_month,
       (SELECT count(*)
        FROM derived.item t
        WHERE t.listener = i.listener AND t.artist_id = i.item_id AND t.kind = 'track'
       ) AS tracks,
       i.skips, i.skips_known
FROM derived.item i
LEFT JOIN derived.name n ON n.item_id = i.item_id
WHERE i.kind = 'artist';

CREATE OR REPLACE VIEW reporting.tracks AS
SELECT i.listener, a.name AS artist_name, n.name AS track_name, i.item_id AS track_id, i.artist_id,
       i.plays_all, i.plays_30s, i.plays_half, i.plays_done, i.ms, i.ms_estimated,
       round(i.ms / 60000.0, 2) AS minutes, round(i.ms_estimated / 60000.0, 2) AS minutes_estimated,
       i.first_heard_at, i.last_heard_at, i.first_heard_on, i.last_heard_on,
       i.last_heard_on - i.first_heard_on AS days_between, i.months_heard, i.most_in_a_month,
       i.most_in_a_day, i.most_in_a_day_on,
       (SELECT max(h.track_uri COLLATE "C")
        FROM listening_history h
        JOIN derived.track t USING (track_uri)
        WHERE h.listener = i.listener AND h.played_at = i.last_heard_at AND t.track_id = i.item_id
       ) AS track_uri,
       i.skips, i.skips_known
FROM derived.item i
LEFT JOIN derived.name n ON n.item_id = i.item_id
LEFT JOIN derived.name a ON a.item_id = i.artist_id
WHERE i.kind = 'track';

CREATE OR REPLACE VIEW reporting.forgotten_favourites AS
SELECT i.listener, a.name AS artist_name, n.name AS track_name, i.item_id AS track_id, i.artist_id,
       i.plays_all, round(i.ms / 60000.0, 2) AS minutes, i.last_heard_on,
       l.last_known_on - i.last_heard_on AS days_since,
       i.plays_30s, i.plays_half, i.plays_done, i.ms, i.ms_estimated,
       round(i.ms_estimated / 60000.0, 2) AS minutes_estimated
FROM derived.item i
JOIN derived.listener l USING (listener)
LEFT JOIN derived.name n ON n.item_id = i.item_id
LEFT JOIN derived.name a ON a.item_id = i.artist_id
WHERE i.kind = 'track' AND i.plays_30s >= 20 AND i.last_heard_on <= l.last_known_on - 365;

CREATE OR REPLACE VIEW reporting.together AS
SELECT i.listener, o.listener AS other_listener, n.name AS artist_name, i.item_id AS artist_id,
       i.plays_all, o.plays_all AS other_plays_all,
       round(i.ms / 60000.0, 2) AS minutes, round(o.ms / 60000.0, 2) AS other_minutes,
       i.plays_30s, i.plays_half, i.plays_done, i.ms, i.ms_estimated,
       round(i.ms_estimated / 60000.0, 2) AS minutes_estimated,
       o.plays_30s AS other_plays_30s, o.plays_half AS other_plays_half,
       o.plays_done AS other_plays_done, o.ms AS other_ms, o.ms_estimated AS other_ms_estimated,
       round(o.ms_estimated / 60000.0, 2) AS other_minutes_estimated
FROM derived.item i
JOIN derived.item o ON o.kind = 'artist' AND o.item_id = i.item_id AND o.listener <> i.listener
LEFT JOIN derived.name n ON n.item_id = i.item_id
WHERE i.kind = 'artist';

-- A new column means what it means in reporting.artists_by_month, or the same of the other listener.
DO $$
DECLARE
    col record;
BEGIN
    FOR col IN
        SELECT c.oid::regclass AS view, a.attname,
               CASE WHEN a.attname LIKE 'other%' THEN 'Of the other listener: ' ELSE '' END
               || col_description(known.attrelid, known.attnum) AS meaning
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        JOIN pg_attribute known
          ON known.attrelid = 'reporting.artists_by_month'::regclass
         AND known.attname = regexp_replace(a.attname, '^other_', '')
        WHERE c.relnamespace = 'reporting'::regnamespace
          AND c.relkind = 'v'
          AND col_description(c.oid, a.attnum) IS NULL
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', col.view, col.attname, col.meaning);
    END LOOP;
END $$;

ALTER TABLE derived.item_month
    DROP COLUMN rank_all, DROP COLUMN rank_30s, DROP COLUMN rank_half, DROP COLUMN rank_done,
    DROP COLUMN rank_minutes;

CREATE OR REPLACE FUNCTION derived.compute_month(the_listener text, the_month date) RETURNS bigint[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
-- Statistics know nothing of a listener who is just being loaded. Row by row and by index it is
-- quick, whatever they say. To plan it anew for each month would take longer than to compute it.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    time_zone text := coalesce(
        (SELECT s.time_zone FROM public.listener_setting s WHERE s.listener = the_listener), 'UTC'
    );
    touched bigint[];
BEGIN
    -- One statement, so that all of it sees the same plays.
    WITH play AS MATERIALIZED (
        SELECT *,
               CASE WHEN minutes_are_estimated THEN ms ELSE 0 END AS ms_estimated,
               is_skip::integer AS skip
        FROM (
            SELECT listener, listened_month, listened_date, hour, started_at, ended_at, track_uri,
                   artist_id, track_id, album_id, plays_all, plays_30s, plays_half, plays_done, ms,
                   minutes_are_estimated, is_skip, platform, country, reason_start, reason_end,
                   shuffle, offline, incognito, context_uri, danceability, energy, key, loudness,
                   mode, speechiness, acousticness, instrumentalness, liveness, valence, tempo,
                   time_signature
            FROM reporting.plays
            WHERE listener = the_listener
              -- For the index. A day more on each side, because an hour may come twice.
              AND ended_at >= (the_month - 1)::timestamp AT TIME ZONE time_zone
              AND ended_at < (the_month + interval '1 month 1 day') AT TIME ZONE time_zone
        ) near
        WHERE listened_month = the_month
    ),
    old_hour AS (
        DELETE FROM derived.hour
        WHERE listener = the_listener AND listened_date >= the_month
          AND listened_date < the_month + interval '1 month'
    ),
    new_hour AS (
        INSERT INTO derived.hour
        SELECT the_listener, the_month, listened_date, hour,
               sum(plays_all), sum(plays_30s), sum(plays_half), sum(plays_done),
               sum(ms), sum(ms_estimated), coalesce(sum(skip), 0), count(skip)
        FROM play
        GROUP BY listened_date, hour
    ),
    old_how AS (
        DELETE FROM derived.how WHERE listener = the_listener AND listened_month = the_month
    ),
    new_how AS (
        INSERT INTO derived.how
        SELECT the_listener, the_month, platform, country, reason_start, reason_end, shuffle,
               offline, incognito,
               substring(context_uri FROM '^spotify:(?:user:[^:]+:)?([a-z]+)') AS context_type,
               sum(plays_all), sum(plays_30s), sum(plays_half), sum(plays_done),
               sum(ms), sum(ms_estimated), sum(skips), sum(skips_known)
        FROM (
            -- To read a context takes a while, and many plays have the same.
            SELECT platform, country, reason_start, reason_end, shuffle, offline, incognito,
                   context_uri,
                   sum(plays_all) AS plays_all, sum(plays_30s) AS plays_30s,
                   sum(plays_half) AS plays_half, sum(plays_done) AS plays_done,
                   sum(ms) AS ms, sum(ms_estimated) AS ms_estimated,
                   coalesce(sum(skip), 0) AS skips, count(skip) AS skips_known
            FROM play
            GROUP BY platform, country, reason_start, reason_end, shuffle, offline, incognito,
                     context_uri
        ) context
        GROUP BY platform, country, reason_start, reason_end, shuffle, offline, incognito,
                 context_type
    ),
    old_mood AS (
        DELETE FROM derived.mood WHERE listener = the_listener AND listened_month = the_month
    ),
    new_mood AS (
        INSERT INTO derived.mood
        SELECT the_listener, the_month, hour, sum(plays_all),
               count(*) FILTER (WHERE num_nonnulls(
                   danceability, energy, key, loudness, mode, speechiness, acousticness,
                   instrumentalness, liveness, valence, tempo, time_signature
               ) > 0),
               count(danceability), sum((danceability * 1000000)::bigint),
               count(energy), sum((energy * 1000000)::bigint),
               count(valence), sum((valence * 1000000)::bigint),
               count(acousticness), sum((acousticness * 1000000)::bigint),
               count(instrumentalness), sum((instrumentalness * 1000000)::bigint),
               count(speechiness), sum((speechiness * 1000000)::bigint),
               count(liveness), sum((liveness * 1000000)::bigint),
               count(loudness), sum((loudness * 1000000)::bigint),
               count(tempo), sum((tempo * 1000000)::bigint),
               count(mode), sum(mode)
        FROM play
        GROUP BY hour
    ),
    old_part AS (
        DELETE FROM derived.session_part
        WHERE listener = the_listener AND listened_month = the_month
          -- For the index. The month may be of the time zone before, up to 26 hours away.
          AND first_ended_at >= (the_month - 2)::timestamp AT TIME ZONE time_zone
          AND first_ended_at < (the_month + interval '1 month 2 days') AT TIME ZONE time_zone
    ),
    new_part AS (
        INSERT INTO derived.session_part
        SELECT the_listener, the_month, max(started_at) FILTER (WHERE begins),
               min(ended_at), max(ended_at),
               sum(plays_all), sum(plays_30s), sum(plays_half), sum(plays_done),
               sum(ms), sum(ms_estimated)
        FROM (
            SELECT *, count(*) FILTER (WHERE begins) OVER played AS part
            FROM (
                SELECT *, coalesce(started_at - coalesce(
                              lag(ended_at) OVER played,
                              (SELECT max(h.played_at) FROM public.listening_history h
                               WHERE h.listener = the_listener AND h.played_at < play.ended_at)
                          ) > interval '30 minutes', true) AS begins
                FROM play
                WINDOW played AS (ORDER BY ended_at, track_uri COLLATE "C")
            ) paused
            WINDOW played AS (ORDER BY ended_at, track_uri COLLATE "C")
        ) numbered
        GROUP BY part
    ),
    -- A sum of bigint is numeric, which is slow to add up.
    day AS (
        SELECT artist_id, track_id, album_id, listened_date,
               sum(plays_all) AS plays_all, sum(plays_30s) AS plays_30s,
               sum(plays_half) AS plays_half, sum(plays_done) AS plays_done,
               sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
               coalesce(sum(skip), 0) AS skips, count(skip) AS skips_known,
               min(ended_at) AS first_heard_at, max(ended_at) AS last_heard_at,
               -- One track may be on several albums of the day.
               (sum(sum(plays_all)) OVER (PARTITION BY track_id, listened_date))::bigint AS track_plays
        FROM play
        GROUP BY artist_id, track_id, album_id, listened_date
    ),
    track_album AS (
        SELECT artist_id, track_id, album_id, most_in_a_day, most_in_a_day_on,
               sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
               sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
               sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
               sum(skips)::bigint AS skips, sum(skips_known)::bigint AS skips_known,
               min(first_heard_at) AS first_heard_at, max(last_heard_at) AS last_heard_at,
               min(listened_date) AS first_heard_on, max(listened_date) AS last_heard_on
        FROM (
            SELECT *, first_value(track_plays) OVER best AS most_in_a_day,
                   first_value(listened_date) OVER best AS most_in_a_day_on
            FROM day
            WINDOW best AS (PARTITION BY track_id ORDER BY track_plays DESC, listened_date)
        ) ranked
        GROUP BY artist_id, track_id, album_id, most_in_a_day, most_in_a_day_on
    ),
    fresh AS MATERIALIZED (
        SELECT the_listener AS listener, the_month AS listened_month, k.kind, k.item_id, artist_id,
               sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
               sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
               sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
               sum(skips)::bigint AS skips, sum(skips_known)::bigint AS skips_known,
               count(DISTINCT track_id) AS tracks,
               min(first_heard_at) AS first_heard_at, max(last_heard_at) AS last_heard_at,
               min(first_heard_on) AS first_heard_on, max(last_heard_on) AS last_heard_on,
               max(most_in_a_day) FILTER (WHERE k.kind = 'track') AS most_in_a_day,
               min(most_in_a_day_on) FILTER (WHERE k.kind = 'track') AS most_in_a_day_on
        FROM track_album
        CROSS JOIN LATERAL (
            VALUES ('artist' COLLATE "C", artist_id), ('track', track_id), ('album', album_id)
        ) AS k (kind, item_id)
        WHERE k.item_id IS NOT NULL
        GROUP BY k.item_id, k.kind, artist_id
    ),
    -- Most items stay as they are.
    changed AS MATERIALIZED (
        SELECT fresh AS item, old_place, coalesce(item_id, old_item_id) AS changed_item_id
        FROM fresh
        FULL JOIN (
            SELECT item_month AS old_item, ctid AS old_place, item_id AS old_item_id
            FROM derived.item_month
            WHERE listener = the_listener AND listened_month = the_month
        ) old ON old_item_id = item_id
        WHERE fresh IS DISTINCT FROM old_item
    ),
    old_item AS (
        DELETE FROM derived.item_month
        WHERE ctid = ANY (ARRAY(SELECT old_place FROM changed WHERE old_place IS NOT NULL))
    ),
    new_item AS (
        INSERT INTO derived.item_month
        SELECT (item).*
        FROM changed
        WHERE (item).item_id IS NOT NULL
        -- Rows of one kind, which are read together, are stored together.
        ORDER BY (item).kind
    )
    SELECT array_agg(changed_item_id) INTO touched FROM changed;
    RETURN touched;
END $$;

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

    DELETE FROM derived.name n
    WHERE n.item_id = ANY (items)
      AND NOT EXISTS (SELECT FROM derived.track t WHERE t.artist_id = n.item_id)
      AND NOT EXISTS (SELECT FROM derived.track t WHERE t.track_id = n.item_id)
      AND NOT EXISTS (SELECT FROM derived.track t WHERE t.album_id = n.item_id);
    INSERT INTO derived.name AS n
    SELECT item_id, kind, artist_id, name FROM derived.plain_name WHERE item_id = ANY (items)
    ON CONFLICT (item_id) DO UPDATE SET name = excluded.name WHERE n.name <> excluded.name;
    RETURN moved;
END $$;

COMMENT ON FUNCTION derived.choose_names IS 'Choose the names of uris anew, of all where they are NULL, and the spelling of what they name; return the uris that are now another artist, track or album.';

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
    -- So many are of nearly every month, and all of them together are read sooner than each.
    IF (SELECT count(m.track_uri) FROM unnest(marked) m) > most_tracks THEN
        PERFORM derived.rebuild();
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
    IF cardinality(uris) > most_tracks THEN
        PERFORM derived.rebuild();
        RETURN;
    END IF;
    IF uris IS NOT NULL THEN
        moved := derived.choose_names(uris);
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

    moved := moved || ARRAY(SELECT m.track_uri FROM unnest(marked) m WHERE m.listener IS NULL);
    INSERT INTO derived.stale_month
    SELECT DISTINCT h.listener, date_trunc('month', h.played_at AT TIME ZONE coalesce(s.time_zone, 'UTC'))::date
    FROM unnest(moved) AS changed (track_uri)
    CROSS JOIN LATERAL (
        SELECT listener, played_at
        FROM public.listening_history
        WHERE track_uri = changed.track_uri
        OFFSET 0
    ) h
    LEFT JOIN public.listener_setting s USING (listener)
    ON CONFLICT DO NOTHING;

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
BEGIN
    -- So many are computed sooner all together than one by one.
    IF (SELECT count(*) FROM derived.stale_item) > most_items THEN
        DELETE FROM derived.item;
        INSERT INTO derived.item TABLE derived.plain_item;
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
END $$;

CREATE OR REPLACE FUNCTION derived.rebuild() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
-- read_marks has switched them off.
SET enable_seqscan = on
SET enable_hashjoin = on
SET enable_mergejoin = on
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('derive', 0));
    -- The plays are read in later statements, which see at least those whose marks this one sees.
    DELETE FROM derived.mark;
    PERFORM derived.choose_names(NULL);
    INSERT INTO derived.stale_month TABLE derived.all_months ON CONFLICT DO NOTHING;
    INSERT INTO derived.stale_item SELECT listener, item_id FROM derived.item ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION derived.rebuild IS 'Choose all names anew, and make all months and items stale, for derived.refresh to compute. What is shown stays until then.';

CREATE OR REPLACE FUNCTION derived.clear() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    TRUNCATE derived.hour, derived.item_month, derived.item, derived.session_part, derived.how,
             derived.mood, derived.track, derived.name, derived.mark, derived.stale_month,
             derived.stale_item;
    RETURN NULL;
END $$;
