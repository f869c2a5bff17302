-- Removes a listener. A function, so that the loader gains no right to delete single rows of the ledger.

CREATE FUNCTION remove_listener(the_listener text) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    -- Their merged records are deleted by cascade, and a trigger marks their months.
    DELETE FROM public.listening_history WHERE listener = the_listener;
    -- Before they were a listener, the report on a file in their folder went to another one.
    DELETE FROM public.loaded_batch
    WHERE listener = the_listener OR starts_with(origin, 'history/' || the_listener || '/');
    DELETE FROM public.import_report
    WHERE listener = the_listener OR starts_with(origin, 'history/' || the_listener || '/');
    DELETE FROM public.poll WHERE listener = the_listener;
    DELETE FROM public.gap WHERE listener = the_listener;
    DELETE FROM public.listener_setting WHERE listener = the_listener;
END;
COMMENT ON FUNCTION remove_listener IS 'Delete all rows about a listener. The features of their tracks stay, because they are about no person.';

REVOKE EXECUTE ON FUNCTION remove_listener FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remove_listener TO loader;
