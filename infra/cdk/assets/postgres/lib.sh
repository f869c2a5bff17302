# shellcheck shell=bash
# Sourced by the scripts of the database host: its facts, and the few verbs that they share.
#
# Facts are lines NAME=value of the file /opt/pg/env (or the one that PG_ENV names); they are read,
# never run, and hold names alone: no password is among them. Lists are parted by commas or spaces.
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# A folder that user postgres may enter, wherever the owner stands.
cd "$HERE"

while IFS= read -r fact || [ -n "$fact" ]; do
    case $fact in
        [A-Z]*=*) export "${fact%%=*}=${fact#*=}" ;;
    esac
done < "${PG_ENV:-$HERE/env}"

# Where Amazon Linux has things.
: "${PG_HOME:=/var/lib/pgsql}" "${PG_BIN:=/usr/bin}" "${ETC:=/etc}" "${RETRY_PAUSE_S:=5}"
export PGDATA=$PG_HOME/data AWS_CONFIG_FILE=$HERE/aws.conf
# shellcheck disable=SC2034 # the scripts that source this file use them
TLS=$PG_HOME/tls STAMP=$PG_HOME/last-backup

say() {
    echo "$(basename "$0"): $*"
}

fail() {
    say "$*" >&2
    exit 1
}

# Run a command until it succeeds, for five minutes at most.
retry() {
    local attempts=60
    until "$@"; do
        attempts=$((attempts - 1))
        [ "$attempts" -gt 0 ] || fail "gave up: $1 ${2:-}"
        sleep "$RETRY_PAUSE_S"
    done
}

as_postgres() {
    runuser -u postgres -- "$@"
}

# Run SQL from stdin as the superuser; the words are psql's. What fails is not logged: it may hold
# the verifier of a password.
run_sql() {
    PGOPTIONS="-c log_statement=none -c log_min_error_statement=panic" as_postgres \
        "$PG_BIN/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@"
}

# Write stdin to FILE for OWNER with MODE, in one step, unless it holds that already.
place() {
    local file=$1 owner=$2 mode=$3 fresh
    fresh=$(mktemp "$file.XXXXXX")
    cat > "$fresh"
    chown "$owner:" "$fresh"
    chmod "$mode" "$fresh"
    if cmp --silent "$fresh" "$file"; then
        rm "$fresh"
    else
        mv "$fresh" "$file"
    fi
}

# Let a running server read its configuration and certificates again; connections stay open.
reload() {
    if systemctl --quiet is-active postgresql; then
        systemctl reload postgresql
    fi
}
