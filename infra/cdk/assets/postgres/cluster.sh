#!/usr/bin/env bash
# Makes the data directory, where the volume has none.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

if [ -s "$PGDATA/PG_VERSION" ]; then
    major=$(< "$PGDATA/PG_VERSION")
    [ "$major" = "$PG_MAJOR" ] ||
        fail "the data are of Postgres $major, not $PG_MAJOR: bring them over with pg_upgrade"
    exit
fi

install -d -o postgres -g postgres -m 700 "$PG_HOME"
# Aside, and put in its place once it is whole: initdb may be interrupted.
rm -rf "$PGDATA.new"
# Bytes sort the same on every release of the C library, so an index survives each new image.
within 45 runuser -u postgres -- "$PG_BIN/initdb" --pgdata="$PGDATA.new" --username=postgres --data-checksums \
    --auth-local=peer --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --lc-collate=C > /dev/null
# The package has made an empty one.
mv --no-target-directory "$PGDATA.new" "$PGDATA"
say "made $PGDATA"
