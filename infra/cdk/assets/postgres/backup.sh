#!/usr/bin/env bash
# Dumps the database to S3, as user postgres (by hand: systemctl start pg-backup); restore.sh brings
# a dump back.
#
# Nothing in the bucket looks like a backup and is none: S3 shows an object once its upload ends,
# and this one ends only after pg_dump has succeeded.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

key=${BACKUP_PREFIX%/}/$DB_NAME-$(date --utc +%Y-%m-%dT%H-%M-%SZ).dump

exec {stream}> >(exec aws s3 cp --only-show-errors - "s3://$BACKUP_BUCKET/$key")
upload=$!
if ! "$PG_BIN/pg_dump" --username=postgres --format=custom "$DB_NAME" >&"$stream"; then
    # Its input has not ended, so it cannot have finished; it may be dead already.
    kill -KILL "$upload" 2> /dev/null || true
    fail "pg_dump failed: nothing was stored"
fi
exec {stream}>&-
wait "$upload" || fail "the upload failed: nothing was stored"
touch "$STAMP"
say "stored s3://$BACKUP_BUCKET/$key"
