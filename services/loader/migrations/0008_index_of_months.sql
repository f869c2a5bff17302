-- The ten most played artists of a month are the last entries of an index.

-- A refresh takes this lock before it locks the table.
SELECT pg_advisory_xact_lock(hashtextextended('derive', 0));

CREATE INDEX item_month_plays ON derived.item_month (listener, listened_month, kind, plays_all);
DROP INDEX derived.item_month_month;

-- An upload changes rows of all months, but seldom a fifth of them, for which autovacuum waits by
-- default. Until then, counting the items of each month takes up to three times as long.
ALTER TABLE derived.item_month
    SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
