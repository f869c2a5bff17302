-- The roles, and what each may do to the database as a whole; the migrations tell what they may do
-- to its tables. Runs in the database itself, as superuser, as often as one likes. An empty line
-- ends a statement, so that the single-user mode of Postgres reads this file too.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['migrator', 'loader', 'reader', 'report_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
        EXECUTE format('ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', role);
    END LOOP;
    EXECUTE format('ALTER DATABASE %I OWNER TO migrator', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO loader, reader, report_reader', current_database());
END $$;

ALTER ROLE migrator CONNECTION LIMIT 5;

ALTER ROLE loader CONNECTION LIMIT 10;

ALTER ROLE reader CONNECTION LIMIT 10;

ALTER ROLE report_reader CONNECTION LIMIT 10;

-- A report that runs away must not take the memory and the disk that loading needs.
ALTER ROLE reader SET statement_timeout = '30s';

ALTER ROLE report_reader SET statement_timeout = '30s';

-- For each connection; only a superuser can raise it.
ALTER ROLE reader SET temp_file_limit = '256MB';

ALTER ROLE report_reader SET temp_file_limit = '256MB';

ALTER ROLE reader SET default_transaction_read_only = on;

ALTER ROLE report_reader SET default_transaction_read_only = on;

-- The reporting views take a minute to compile and less than a second to run.
ALTER ROLE loader SET jit = off;

ALTER ROLE reader SET jit = off;

ALTER ROLE report_reader SET jit = off;

-- A tool that lists tables without their schema finds the views.
ALTER ROLE report_reader SET search_path = reporting;

-- By these functions a role without any right can fill the disk: a message goes into the WAL, and a
-- large object into a table of its own. A session can turn off its read-only default. The signatures
-- differ between releases of Postgres.
DO $$
DECLARE
    writer regprocedure;
BEGIN
    FOR writer IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
        AND proname IN ('pg_logical_emit_message', 'lo_creat', 'lo_create', 'lo_from_bytea')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', writer);
    END LOOP;
END $$;

