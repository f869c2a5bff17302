#!/usr/bin/env bash
# Restores a dump into an empty database, whole or not at all:
#
#   aws s3 ls s3://$BACKUP_BUCKET/$BACKUP_PREFIX
#   restore.sh KEY [DATABASE]
#
# In place of what is there:  sudo -u postgres dropdb --force spotify && roles.sh && restore.sh KEY
# As a drill beside it:       sudo -u postgres createdb drill && restore.sh KEY drill
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

[ $# -ge 1 ] || fail "usage: restore.sh KEY [DATABASE]"
key=$1 database=${2:-$DB_NAME}
relations=$(run_sql --dbname="$database" --tuples-only --no-align << 'SQL'
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';
SQL
)
[ "$relations" = 0 ] || fail "database $database is not empty: drop it and run roles.sh first"

aws s3 cp --only-show-errors "s3://$BACKUP_BUCKET/$key" - |
    as_postgres "$PG_BIN/pg_restore" --single-transaction --exit-on-error --dbname="$database"
say "restored s3://$BACKUP_BUCKET/$key into $database"
