-- A name stays as long as a figure is shown under it, and many changed tracks make only the months
-- stale in which they were played.

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
