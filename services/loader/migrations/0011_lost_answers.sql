-- Answers that Postgres does not know, and rows that a person deletes.
-- The release before this runs on while this one is rolled out; it names none of the new columns.

ALTER TABLE gap ADD COLUMN awaits text;

COMMENT ON COLUMN gap.awaits IS 'Key in the archive of an answer that was published before, but is not in this database; the row goes once that answer arrives. NULL for the gaps of the collector. Source: loader.';

CREATE INDEX gap_awaits ON gap (awaits) WHERE awaits IS NOT NULL;
GRANT DELETE ON gap TO loader;
GRANT UPDATE (regrouped) ON loaded_batch TO loader;

-- Rows of listening_history = sum of inserted + regrouped, also after a person deleted some: the
-- difference is booked as a batch of its own. The loader books what it deletes itself.
CREATE FUNCTION book_deletions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.loaded_batch
        (origin, number, listener, plays, inserted, upgraded, duplicates, regrouped)
    SELECT 'deletions/' || listener || '/' || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           0, listener, 0, 0, 0, 0, coalesce(plays, 0) - coalesce(booked, 0)
    FROM (SELECT listener, count(*) AS plays FROM public.listening_history GROUP BY listener) h
    FULL JOIN (
        SELECT listener, sum(inserted + regrouped) AS booked FROM public.loaded_batch GROUP BY listener
    ) b USING (listener)
    WHERE coalesce(plays, 0) <> coalesce(booked, 0);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION book_deletions IS 'Book rows of listening_history that a person deleted, so that loaded_batch still adds up.';

CREATE TRIGGER book_deletions AFTER DELETE ON listening_history
FOR EACH STATEMENT WHEN (session_user <> 'loader') EXECUTE FUNCTION book_deletions();
CREATE TRIGGER book_truncation AFTER TRUNCATE ON listening_history
FOR EACH STATEMENT EXECUTE FUNCTION book_deletions();

REVOKE EXECUTE ON FUNCTION book_deletions FROM PUBLIC;

COMMENT ON TABLE loaded_batch IS 'What became of each batch when it was first loaded, and rows that a person deleted (origin deletions/…). Rows of listening_history = sum of inserted + regrouped.';
COMMENT ON COLUMN loaded_batch.regrouped IS 'Rows that older records gained or lost when a later one changed which of them belong together, that a later delivery of this batch added, or that a person deleted. Source: loader, this database.';
