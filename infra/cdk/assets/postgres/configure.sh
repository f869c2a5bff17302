#!/usr/bin/env bash
# Puts the server's configuration in place: who may connect, and how it uses this host.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# A line that has a placeholder for addresses stands once for each of them, or not at all.
for_each() {
    local line=$1 placeholder=$2 cidr
    for cidr in ${3//,/ }; do
        echo "${line//$placeholder/$cidr}"
    done
}

hba() {
    local line
    while IFS= read -r line; do
        line=${line//@DB_NAME@/$DB_NAME}
        case $line in
            *@APP_CIDR@*) for_each "$line" @APP_CIDR@ "$APP_CIDRS" ;;
            *@DATA_STUDIO_CIDR@*) for_each "$line" @DATA_STUDIO_CIDR@ "$DATA_STUDIO_CIDRS" ;;
            *) echo "$line" ;;
        esac
    done < "$HERE/pg_hba.conf"
}

include="include_dir = 'conf.d'"
install -d -o postgres -g postgres -m 700 "$PGDATA/conf.d"
place "$PGDATA/conf.d/pipeline.conf" postgres 600 < "$HERE/pipeline.conf"
lines=$(hba)
place "$PGDATA/pg_hba.conf" postgres 600 <<< "$lines"
grep --quiet --line-regexp "$include" "$PGDATA/postgresql.conf" ||
    echo "$include" >> "$PGDATA/postgresql.conf"
reload
