-- Insight: what people and tools read of listening history, as views of schema reporting.
-- The release before this runs on while this one is rolled out, so nothing that it names changes.

-- The release before takes this lock before it writes. Without it, its load and this would each hold
-- a table that the other waits for.
SELECT pg_advisory_xact_lock(hashtextextended('write', 0));

CREATE TABLE listener_setting (
    listener  text PRIMARY KEY,
    time_zone text NOT NULL
);

COMMENT ON TABLE listener_setting IS 'What a listener has chosen. A listener without a row has the defaults.';
COMMENT ON COLUMN listener_setting.listener IS 'Short name given at deployment. Source: plays listener set.';
COMMENT ON COLUMN listener_setting.time_zone IS 'Name of the time zone that the days, months and hours of all plays are in, such as Europe/Berlin. A listener without a row has UTC. Source: plays listener set.';

GRANT SELECT, INSERT, UPDATE, DELETE ON listener_setting TO loader;

CREATE SCHEMA derived;
COMMENT ON SCHEMA derived IS 'Private: repeats what the tables of public say, so that reports are quick. derived.rebuild() makes it anew.';

-- Both spellings of a name must give the same text on every server. Those that have a builtin
-- collation (Postgres 17 and later) or that of the C library agree; translate() takes away the two
-- letters in which ICU differs from them.
DO $$
DECLARE
    folding text := (
        SELECT format('COLLATE %I', collname)
        FROM pg_collation
        WHERE collname IN ('pg_c_utf8', 'C.utf8', 'und-x-icu')
          AND collencoding IN (-1, pg_char_to_encoding('UTF8'))
        ORDER BY array_position(ARRAY['pg_c_utf8', 'C.utf8', 'und-x-icu'], collname::text)
        LIMIT 1
    );
BEGIN
    EXECUTE format($f$
        CREATE FUNCTION derived.fold(name text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN coalesce(
            nullif(btrim(translate(lower(translate(normalize(name, NFKC), 'İ', 'i') %s), 'ς', 'σ')), ''),
            name
        )
    $f$, folding);
END $$;
COMMENT ON FUNCTION derived.fold IS 'A name without the differences of spelling that make no other artist, album or track: case, width, ligatures and outer spaces.';

-- What a play counts for, wherever plays are added up. Times are milliseconds.
CREATE TABLE derived.hour (
    listener       text NOT NULL,
    listened_month date NOT NULL,
    listened_date  date NOT NULL,
    hour           integer NOT NULL,
    plays_all      bigint NOT NULL,
    plays_30s      bigint NOT NULL,
    plays_half     bigint NOT NULL,
    plays_done     bigint NOT NULL,
    ms             bigint NOT NULL,
    ms_estimated   bigint NOT NULL,
    skips          bigint NOT NULL,
    skips_known    bigint NOT NULL
);
COMMENT ON TABLE derived.hour IS 'Plays by date and hour.';
CREATE INDEX hour_date ON derived.hour (listener, listened_date);

CREATE TABLE derived.item_month (
    listener         text NOT NULL,
    listened_month   date NOT NULL,
    kind             text COLLATE "C" NOT NULL,
    item_id          bigint NOT NULL,
    artist_id        bigint NOT NULL,
    plays_all        bigint NOT NULL,
    plays_30s        bigint NOT NULL,
    plays_half       bigint NOT NULL,
    plays_done       bigint NOT NULL,
    ms               bigint NOT NULL,
    ms_estimated     bigint NOT NULL,
    skips            bigint NOT NULL,
    skips_known      bigint NOT NULL,
    tracks           bigint NOT NULL,
    first_heard_at   timestamptz NOT NULL,
    last_heard_at    timestamptz NOT NULL,
    first_heard_on   date NOT NULL,
    last_heard_on    date NOT NULL,
    most_in_a_day    bigint,
    most_in_a_day_on date,
    rank_all         bigint NOT NULL,
    rank_30s         bigint NOT NULL,
    rank_half        bigint NOT NULL,
    rank_done        bigint NOT NULL,
    rank_minutes     bigint NOT NULL
);
COMMENT ON TABLE derived.item_month IS 'Plays of each artist, track and album (kind) by month.';
CREATE INDEX item_month_item ON derived.item_month (listener, item_id, listened_month);
CREATE INDEX item_month_month ON derived.item_month (listener, listened_month, kind, item_id);
CREATE INDEX item_month_top ON derived.item_month (listener, listened_month)
    WHERE kind = 'artist' AND rank_all <= 10;
CREATE INDEX item_month_obsession ON derived.item_month (listener) WHERE most_in_a_day >= 5;

CREATE TABLE derived.item (
    listener         text NOT NULL,
    kind             text COLLATE "C" NOT NULL,
    item_id          bigint NOT NULL,
    artist_id        bigint NOT NULL,
    plays_all        bigint NOT NULL,
    plays_30s        bigint NOT NULL,
    plays_half       bigint NOT NULL,
    plays_done       bigint NOT NULL,
    ms               bigint NOT NULL,
    ms_estimated     bigint NOT NULL,
    skips            bigint NOT NULL,
    skips_known      bigint NOT NULL,
    first_heard_at   timestamptz NOT NULL,
    last_heard_at    timestamptz NOT NULL,
    first_heard_on   date NOT NULL,
    last_heard_on    date NOT NULL,
    months_heard     bigint NOT NULL,
    most_in_a_month  bigint NOT NULL,
    most_in_a_day    bigint,
    most_in_a_day_on date,
    first_month      date NOT NULL,
    first_month_plays bigint NOT NULL,
    PRIMARY KEY (listener, item_id)
);
CREATE INDEX item_first ON derived.item (listener, first_month) INCLUDE (kind, first_month_plays);
CREATE INDEX item_artist ON derived.item (listener, artist_id);
COMMENT ON TABLE derived.item IS 'Plays of each artist, track and album (kind) of all time.';

CREATE TABLE derived.session_part (
    listener       text NOT NULL,
    listened_month date NOT NULL,
    started_at     timestamptz,
    first_ended_at timestamptz NOT NULL,
    ended_at       timestamptz NOT NULL,
    plays_all      bigint NOT NULL,
    plays_30s      bigint NOT NULL,
    plays_half     bigint NOT NULL,
    plays_done     bigint NOT NULL,
    ms             bigint NOT NULL,
    ms_estimated   bigint NOT NULL
);
COMMENT ON TABLE derived.session_part IS 'The plays of one session that ended in one month. A part without a start belongs to the session of the part before it.';
CREATE INDEX session_part_time ON derived.session_part (listener, first_ended_at);

CREATE TABLE derived.how (
    listener       text NOT NULL,
    listened_month date NOT NULL,
    platform       text,
    country        text,
    reason_start   text,
    reason_end     text,
    shuffle        boolean,
    offline        boolean,
    incognito      boolean,
    context_type   text,
    plays_all      bigint NOT NULL,
    plays_30s      bigint NOT NULL,
    plays_half     bigint NOT NULL,
    plays_done     bigint NOT NULL,
    ms             bigint NOT NULL,
    ms_estimated   bigint NOT NULL,
    skips          bigint NOT NULL,
    skips_known    bigint NOT NULL
);
COMMENT ON TABLE derived.how IS 'Plays by device, country, reasons, modes and context, and month.';
CREATE INDEX how_month ON derived.how (listener, listened_month);

CREATE TABLE derived.mood (
    listener               text NOT NULL,
    listened_month         date NOT NULL,
    hour                   integer NOT NULL,
    plays_all              bigint NOT NULL,
    plays_with_features    bigint NOT NULL,
    danceability_plays     bigint NOT NULL,
    danceability_sum       bigint,
    energy_plays           bigint NOT NULL,
    energy_sum             bigint,
    valence_plays          bigint NOT NULL,
    valence_sum            bigint,
    acousticness_plays     bigint NOT NULL,
    acousticness_sum       bigint,
    instrumentalness_plays bigint NOT NULL,
    instrumentalness_sum   bigint,
    speechiness_plays      bigint NOT NULL,
    speechiness_sum        bigint,
    liveness_plays         bigint NOT NULL,
    liveness_sum           bigint,
    loudness_plays         bigint NOT NULL,
    loudness_sum           bigint,
    tempo_plays            bigint NOT NULL,
    tempo_sum              bigint,
    mode_plays             bigint NOT NULL,
    mode_sum               bigint
);
COMMENT ON TABLE derived.mood IS 'Sums of the features of plays by month and hour of the day, in millionths (the mode in ones): a sum of doubles would depend on their order.';
CREATE INDEX mood_month ON derived.mood (listener, listened_month);

CREATE TABLE derived.track (
    track_uri   text PRIMARY KEY,
    artist_name text NOT NULL,
    track_name  text NOT NULL,
    album_name  text,
    artist_id   bigint NOT NULL,
    track_id    bigint NOT NULL,
    album_id    bigint
);
COMMENT ON TABLE derived.track IS 'The names of each uri, as derived.plain_track chooses them.';
-- To find a text by hash takes a fifth of the time, where the database's collation is not C.
CREATE INDEX track_uri ON derived.track USING hash (track_uri);
CREATE INDEX track_features_uri ON track_features USING hash (track_uri);
CREATE INDEX track_artist ON derived.track (artist_id);
CREATE INDEX track_track ON derived.track (track_id);
CREATE INDEX track_album ON derived.track (album_id);

CREATE TABLE derived.name (
    item_id   bigint PRIMARY KEY,
    kind      text COLLATE "C" NOT NULL,
    artist_id bigint NOT NULL,
    name      text NOT NULL
);
COMMENT ON TABLE derived.name IS 'The spelling of each artist, track and album (kind), as derived.plain_name chooses it.';

CREATE TABLE derived.mark (
    listener  text,
    played_on date,
    track_uri text,
    marked_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE derived.mark IS 'What was written since the last refresh: a listener and a date in UTC (all of the listener''s dates where it is NULL), or a track of all listeners; the names of a track are chosen anew. Rows are only added and deleted: one that is committed during a refresh waits for the next.';

CREATE TABLE derived.stale_month (
    listener       text NOT NULL,
    listened_month date NOT NULL,
    PRIMARY KEY (listener, listened_month)
);
COMMENT ON TABLE derived.stale_month IS 'Months that the marks of earlier refreshes touch and that are still to be computed. Only a refresh writes it.';

CREATE TABLE derived.stale_item (
    listener text NOT NULL,
    item_id  bigint NOT NULL,
    PRIMARY KEY (listener, item_id)
);
COMMENT ON TABLE derived.stale_item IS 'Items whose counts of all time wait until no month is stale. Only a refresh writes it.';

-- A refresh finds the plays of a track by it, and so does the page of an artist, track or album.
CREATE INDEX listening_history_track ON listening_history USING hash (track_uri);

CREATE VIEW derived.plain_track AS
-- The names of a track: the API names the artist of the track, an export that of the album.
SELECT track_uri, artist_name, track_name, album_name,
       hashtextextended(artist_key, 1) AS artist_id,
       hashtextextended(artist_key || E'\x1f' || derived.fold(track_name), 2) AS track_id,
       hashtextextended(artist_key || E'\x1f' || derived.fold(album_name), 3) AS album_id
FROM (
    SELECT DISTINCT ON (track_uri)
           track_uri, artist_name, track_name, album_name,
           derived.fold(artist_name) AS artist_key
    FROM listening_history
    ORDER BY track_uri, (source = 'extended-history'), played_at DESC, id DESC
) latest;

CREATE VIEW derived.plain_name AS
-- The spelling that most uris have; of several the first by bytes.
SELECT artist_id AS item_id, 'artist' AS kind, artist_id,
       mode() WITHIN GROUP (ORDER BY artist_name COLLATE "C") AS name
FROM derived.track
GROUP BY artist_id
UNION ALL
SELECT track_id, 'track', artist_id, mode() WITHIN GROUP (ORDER BY track_name COLLATE "C")
FROM derived.track
GROUP BY track_id, artist_id
UNION ALL
SELECT album_id, 'album', artist_id, mode() WITHIN GROUP (ORDER BY album_name COLLATE "C")
FROM derived.track
WHERE album_id IS NOT NULL
GROUP BY album_id, artist_id;

CREATE VIEW reporting.plays AS
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
       platform, country, reason_start, reason_end, shuffle, offline, incognito, context_uri, source
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

CREATE VIEW derived.plain_item AS
SELECT listener, kind, item_id, artist_id,
       sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
       sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
       sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
       sum(skips)::bigint AS skips, sum(skips_known)::bigint AS skips_known,
       min(first_heard_at) AS first_heard_at, max(last_heard_at) AS last_heard_at,
       min(first_heard_on) AS first_heard_on, max(last_heard_on) AS last_heard_on,
       count(*) AS months_heard, max(plays_all) AS most_in_a_month,
       max(most_in_a_day) AS most_in_a_day,
       (array_agg(most_in_a_day_on ORDER BY most_in_a_day DESC, most_in_a_day_on))[1] AS most_in_a_day_on,
       min(listened_month) AS first_month,
       (array_agg(plays_all ORDER BY listened_month))[1] AS first_month_plays
FROM derived.item_month
GROUP BY listener, kind, item_id, artist_id;

CREATE VIEW derived.all_months AS
SELECT DISTINCT h.listener,
       date_trunc('month', h.played_at AT TIME ZONE coalesce(s.time_zone, 'UTC'))::date AS listened_month
FROM listening_history h
LEFT JOIN listener_setting s USING (listener)
UNION
SELECT listener, listened_month
FROM derived.hour;

CREATE FUNCTION derived.compute_month(the_listener text, the_month date) RETURNS bigint[]
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
    day AS (
        SELECT artist_id, track_id, album_id, listened_date,
               sum(plays_all) AS plays_all, sum(plays_30s) AS plays_30s,
               sum(plays_half) AS plays_half, sum(plays_done) AS plays_done,
               sum(ms) AS ms, sum(ms_estimated) AS ms_estimated,
               coalesce(sum(skip), 0) AS skips, count(skip) AS skips_known,
               min(ended_at) AS first_heard_at, max(ended_at) AS last_heard_at,
               -- One track may be on several albums of the day.
               sum(sum(plays_all)) OVER (PARTITION BY track_id, listened_date) AS track_plays
        FROM play
        GROUP BY artist_id, track_id, album_id, listened_date
    ),
    track_album AS (
        SELECT artist_id, track_id, album_id, most_in_a_day, most_in_a_day_on,
               sum(plays_all) AS plays_all, sum(plays_30s) AS plays_30s,
               sum(plays_half) AS plays_half, sum(plays_done) AS plays_done,
               sum(ms) AS ms, sum(ms_estimated) AS ms_estimated,
               sum(skips) AS skips, sum(skips_known) AS skips_known,
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
        SELECT the_listener AS listener, the_month AS listened_month, item.*,
               rank() OVER (PARTITION BY kind ORDER BY plays_all DESC) AS rank_all,
               rank() OVER (PARTITION BY kind ORDER BY plays_30s DESC) AS rank_30s,
               rank() OVER (PARTITION BY kind ORDER BY plays_half DESC) AS rank_half,
               rank() OVER (PARTITION BY kind ORDER BY plays_done DESC) AS rank_done,
               rank() OVER (PARTITION BY kind ORDER BY ms DESC) AS rank_minutes
        FROM (
            SELECT k.kind, k.item_id, artist_id,
                   sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
                   sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
                   sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
                   sum(skips)::bigint AS skips, sum(skips_known)::bigint AS skips_known,
                   count(DISTINCT track_id) AS tracks,
                   min(first_heard_at) AS first_heard_at, max(last_heard_at) AS last_heard_at,
                   min(first_heard_on) AS first_heard_on, max(last_heard_on) AS last_heard_on,
                   max(most_in_a_day) FILTER (WHERE k.kind = 'track')::bigint AS most_in_a_day,
                   min(most_in_a_day_on) FILTER (WHERE k.kind = 'track') AS most_in_a_day_on
            FROM track_album
            CROSS JOIN LATERAL (
                VALUES ('artist' COLLATE "C", artist_id), ('track', track_id), ('album', album_id)
            ) AS k (kind, item_id)
            WHERE k.item_id IS NOT NULL
            GROUP BY k.item_id, k.kind, artist_id
        ) item
    ),
    changed AS MATERIALIZED (
        SELECT coalesce(f.item_id, o.item_id) AS item_id, o.item_id IS NOT NULL AS is_old,
               -- The ranks of a month are nothing to all of time.
               (f.artist_id, f.plays_all, f.plays_30s, f.plays_half, f.plays_done, f.ms,
                f.ms_estimated, f.skips, f.skips_known, f.first_heard_at, f.last_heard_at,
                f.first_heard_on, f.last_heard_on, f.most_in_a_day, f.most_in_a_day_on)
               IS DISTINCT FROM
               (o.artist_id, o.plays_all, o.plays_30s, o.plays_half, o.plays_done, o.ms,
                o.ms_estimated, o.skips, o.skips_known, o.first_heard_at, o.last_heard_at,
                o.first_heard_on, o.last_heard_on, o.most_in_a_day, o.most_in_a_day_on)
               AS counts_differ
        FROM fresh f
        FULL JOIN (
            SELECT * FROM derived.item_month
            WHERE listener = the_listener AND listened_month = the_month
        ) o ON o.item_id = f.item_id
        WHERE f IS DISTINCT FROM o
    ),
    -- Most items stay as they are.
    old_item AS (
        DELETE FROM derived.item_month
        WHERE listener = the_listener AND listened_month = the_month
          AND item_id = ANY (ARRAY(SELECT item_id FROM changed WHERE is_old))
    ),
    new_item AS (
        INSERT INTO derived.item_month
        SELECT * FROM fresh WHERE item_id = ANY (ARRAY(SELECT item_id FROM changed))
    )
    SELECT array_agg(item_id) INTO touched FROM changed WHERE counts_differ;
    RETURN touched;
END $$;
COMMENT ON FUNCTION derived.compute_month IS 'Compute the rows of a listener''s month anew from reporting.plays; return the items whose counts changed.';

CREATE FUNCTION derived.choose_names(uris text[]) RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    items bigint[];
    moved text[];
BEGIN
    IF uris IS NULL THEN
        RETURN NULL;
    END IF;
    -- One uri after the other: a hash index compares each row that it finds with all of an array.
    WITH fresh AS MATERIALIZED (
        SELECT p.*
        FROM unnest(uris) AS asked (track_uri)
        CROSS JOIN LATERAL (
            SELECT * FROM derived.plain_track WHERE track_uri = asked.track_uri OFFSET 0
        ) p
    ),
    old AS MATERIALIZED (
        SELECT t.*
        FROM unnest(uris) AS asked (track_uri)
        CROSS JOIN LATERAL (
            SELECT * FROM derived.track WHERE track_uri = asked.track_uri OFFSET 0
        ) t
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
COMMENT ON FUNCTION derived.choose_names IS 'Choose the names of uris anew, and the spelling of what they name; return the uris that are now another artist, track or album.';

CREATE FUNCTION derived.read_marks() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
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
    moved := derived.choose_names(uris);

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
COMMENT ON FUNCTION derived.read_marks IS 'Turn the marks into stale months, and choose the names that they may change.';

CREATE VIEW derived.waiting_month AS
-- About: a date near the border of a month may be of two.
SELECT listener, listened_month
FROM derived.stale_month
UNION
SELECT listener, date_trunc('month', played_on)::date
FROM derived.mark
WHERE played_on IS NOT NULL
UNION
SELECT h.listener, h.listened_month
FROM derived.hour h
JOIN derived.mark m ON m.listener = h.listener AND m.played_on IS NULL;

CREATE FUNCTION derived.waiting(before timestamptz, OUT months integer, OUT newest timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT count(*) INTO months FROM derived.waiting_month;
    SELECT greatest(months, least(count(*), 1)), max(marked_at) FILTER (WHERE marked_at < before)
    INTO months, newest
    FROM derived.mark;
END $$;
COMMENT ON FUNCTION derived.waiting IS 'Return about how many months wait for a refresh, 0 only if nothing does, and when the newest mark before an instant was set.';

CREATE FUNCTION derived.compute_items() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET work_mem = '32MB'
AS $$
DECLARE
    stale record;
BEGIN
    FOR stale IN
        SELECT listener, array_agg(item_id) AS items FROM derived.stale_item GROUP BY listener
    LOOP
        DELETE FROM derived.item i
        WHERE i.listener = stale.listener AND i.item_id = ANY (stale.items);
        INSERT INTO derived.item
        SELECT * FROM derived.plain_item i
        WHERE i.listener = stale.listener AND i.item_id = ANY (stale.items);
    END LOOP;
    DELETE FROM derived.stale_item;
END $$;
COMMENT ON FUNCTION derived.compute_items IS 'Compute the rows of all time of the items whose months changed.';

CREATE FUNCTION derived.refresh(most_months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    next record;
BEGIN
    IF pg_try_advisory_xact_lock(hashtextextended('derive', 0)) THEN
        PERFORM derived.read_marks();
        FOR next IN
            -- The newest first: they are looked at most.
            SELECT listener, listened_month
            FROM derived.stale_month
            ORDER BY listened_month DESC, listener
            LIMIT most_months
        LOOP
            INSERT INTO derived.stale_item
            SELECT next.listener, item_id
            FROM unnest(derived.compute_month(next.listener, next.listened_month)) AS item_id
            ON CONFLICT DO NOTHING;
            DELETE FROM derived.stale_month s
            WHERE s.listener = next.listener AND s.listened_month = next.listened_month;
        END LOOP;
        -- Once, not after every part of a long history.
        IF NOT EXISTS (SELECT FROM derived.stale_month) THEN
            PERFORM derived.compute_items();
        END IF;
    END IF;
    RETURN (SELECT w.months FROM derived.waiting(now()) w);
END $$;
COMMENT ON FUNCTION derived.refresh IS 'Compute at most so many months anew that were written since; return how many are left. The counts of all time follow with the last of them. Does no work while another refresh runs.';

CREATE FUNCTION derived.rebuild() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('derive', 0));
    -- The plays are read in later statements, which see at least those whose marks this one sees.
    DELETE FROM derived.mark;
    TRUNCATE derived.hour, derived.item_month, derived.item, derived.session_part, derived.how,
             derived.mood, derived.track, derived.name, derived.stale_month, derived.stale_item;
    INSERT INTO derived.track TABLE derived.plain_track;
    INSERT INTO derived.name TABLE derived.plain_name;
    INSERT INTO derived.stale_month TABLE derived.all_months;
END $$;
COMMENT ON FUNCTION derived.rebuild IS 'Clear all that is derived, choose all names anew and make all months stale, for derived.refresh to compute.';

-- What writes plays, features or a time zone marks what it touches, whatever release it is of.

CREATE FUNCTION derived.mark_new_plays() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO derived.mark (listener, played_on)
    SELECT DISTINCT listener, (played_at AT TIME ZONE 'UTC')::date
    FROM fresh;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_new_plays AFTER INSERT ON listening_history
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION derived.mark_new_plays();

CREATE FUNCTION derived.mark_lost_plays() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO derived.mark (listener, played_on, track_uri)
    SELECT DISTINCT listener, (played_at AT TIME ZONE 'UTC')::date, track_uri
    FROM gone;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_lost_plays AFTER DELETE ON listening_history
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION derived.mark_lost_plays();

CREATE FUNCTION derived.mark_changed_plays() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Planned for the first statement of a connection, be it of one row, and kept for all.
SET enable_nestloop = off
AS $$
BEGIN
    -- Nothing is derived from the popularity, which reaches many plays long after them.
    INSERT INTO derived.mark (listener, played_on, track_uri)
    SELECT DISTINCT play.listener, (play.played_at AT TIME ZONE 'UTC')::date, play.track_uri
    FROM gone
    JOIN fresh USING (id)
    CROSS JOIN LATERAL (
        VALUES (gone.listener, gone.played_at, gone.track_uri),
               (fresh.listener, fresh.played_at, fresh.track_uri)
    ) AS play (listener, played_at, track_uri)
    WHERE (gone.track_uri, gone.track_name, gone.artist_name, gone.album_name, gone.played_at,
           gone.ms_played, gone.listener, gone.source, gone.duration_ms, gone.context_uri,
           gone.platform, gone.country, gone.reason_start, gone.reason_end, gone.shuffle,
           gone.skipped, gone.offline, gone.incognito)
       IS DISTINCT FROM
          (fresh.track_uri, fresh.track_name, fresh.artist_name, fresh.album_name, fresh.played_at,
           fresh.ms_played, fresh.listener, fresh.source, fresh.duration_ms, fresh.context_uri,
           fresh.platform, fresh.country, fresh.reason_start, fresh.reason_end, fresh.shuffle,
           fresh.skipped, fresh.offline, fresh.incognito);
    RETURN NULL;
END $$;
CREATE TRIGGER mark_changed_plays AFTER UPDATE ON listening_history
REFERENCING OLD TABLE AS gone NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION derived.mark_changed_plays();

CREATE FUNCTION derived.clear() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM derived.rebuild();
    RETURN NULL;
END $$;
CREATE TRIGGER clear_derived AFTER TRUNCATE ON listening_history
FOR EACH STATEMENT EXECUTE FUNCTION derived.clear();

CREATE FUNCTION derived.mark_new_features() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO derived.mark (track_uri)
    SELECT track_uri FROM fresh WHERE tells_sound OR duration_ms IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_new_features AFTER INSERT ON track_features
REFERENCING NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION derived.mark_new_features();

CREATE FUNCTION derived.mark_lost_features() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO derived.mark (track_uri) SELECT track_uri FROM gone;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_lost_features AFTER DELETE ON track_features
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION derived.mark_lost_features();

CREATE FUNCTION derived.mark_changed_features() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Planned for the first statement of a connection, be it of one row, and kept for all.
SET enable_nestloop = off
AS $$
BEGIN
    INSERT INTO derived.mark (track_uri)
    SELECT uri
    FROM gone
    JOIN fresh USING (id)
    CROSS JOIN LATERAL (VALUES (gone.track_uri), (fresh.track_uri)) AS track (uri)
    WHERE (gone.track_uri, gone.duration_ms, gone.danceability, gone.energy, gone.key,
           gone.loudness, gone.mode, gone.speechiness, gone.acousticness, gone.instrumentalness,
           gone.liveness, gone.valence, gone.tempo, gone.time_signature)
       IS DISTINCT FROM
          (fresh.track_uri, fresh.duration_ms, fresh.danceability, fresh.energy, fresh.key,
           fresh.loudness, fresh.mode, fresh.speechiness, fresh.acousticness,
           fresh.instrumentalness, fresh.liveness, fresh.valence, fresh.tempo,
           fresh.time_signature);
    RETURN NULL;
END $$;
CREATE TRIGGER mark_changed_features AFTER UPDATE ON track_features
REFERENCING OLD TABLE AS gone NEW TABLE AS fresh
FOR EACH STATEMENT EXECUTE FUNCTION derived.mark_changed_features();

CREATE FUNCTION derived.mark_listeners() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO derived.mark (listener) SELECT listener FROM reporting.listener;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_listeners AFTER TRUNCATE ON track_features
FOR EACH STATEMENT EXECUTE FUNCTION derived.mark_listeners();
CREATE TRIGGER mark_listeners AFTER TRUNCATE ON listener_setting
FOR EACH STATEMENT EXECUTE FUNCTION derived.mark_listeners();

CREATE FUNCTION derived.check_time_zone() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_timezone_names WHERE name = new.time_zone) THEN
        RAISE EXCEPTION 'unknown time zone "%": use a name such as Europe/Berlin', new.time_zone
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER check_time_zone BEFORE INSERT OR UPDATE ON listener_setting
FOR EACH ROW EXECUTE FUNCTION derived.check_time_zone();

CREATE FUNCTION derived.mark_listener() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF old IS DISTINCT FROM new THEN
        INSERT INTO derived.mark (listener)
        SELECT DISTINCT listener
        FROM (VALUES (old.listener), (new.listener)) AS changed (listener)
        WHERE listener IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_listener AFTER INSERT OR UPDATE OR DELETE ON listener_setting
FOR EACH ROW EXECUTE FUNCTION derived.mark_listener();

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA derived FROM PUBLIC;
GRANT USAGE ON SCHEMA derived TO loader;
GRANT EXECUTE ON FUNCTION derived.refresh, derived.rebuild, derived.waiting TO loader;

SELECT derived.rebuild();
