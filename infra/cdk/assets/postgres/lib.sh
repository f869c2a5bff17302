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
: "${METADATA_URL:=http://169.254.169.254/latest}"
export PGDATA=$PG_HOME/data AWS_CONFIG_FILE=$HERE/aws.conf
# RECOVERY_S: for how many seconds crash recovery is waited for. It is long, because to replace the host
# would only begin the recovery anew.
# shellcheck disable=SC2034 # the scripts that source this file use them
RECOVERY_S=1200 TLS=$PG_HOME/tls STAMP=$PG_HOME/last-backup

say() {
    echo "$(basename "$0"): $*"
}

fail() {
    say "$*" >&2
    exit 1
}

# Run a function until it succeeds, for LIMIT seconds at most. It runs each program by `bounded`, with
# less than half of the limit, so that an attempt that hangs leaves time for another. The limits of a
# boot add up to less than the time within which CloudFormation waits for its signal.
retry() {
    local limit=$1 ends_at=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $((SECONDS + RETRY_PAUSE_S)) -lt "$ends_at" ] || fail "gave up after $limit s: $*"
        sleep "$RETRY_PAUSE_S"
    done
}

# Run a program for LIMIT seconds at most, and no longer than `retry` has left; 0 would be no limit.
bounded() {
    local limit=$1 left=$((ends_at - SECONDS))
    shift
    limit=$((limit < left ? limit : left))
    timeout --kill-after=10 $((limit > 0 ? limit : 1)) "$@"
}

# Run a program once, for LIMIT seconds at most.
within() {
    local limit=$1
    shift
    timeout --kill-after=10 "$limit" "$@" || fail "failed, or took more than $limit s: $*"
}

# Within `retry`.
instance_id() {
    local token
    token=$(bounded 5 curl -sSf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \
        "$METADATA_URL/api/token") &&
        bounded 5 curl -sSf -H "X-aws-ec2-metadata-token: $token" \
            "$METADATA_URL/meta-data/instance-id"
}

as_postgres() {
    if [ "$(id -un)" = postgres ]; then
        "$@"
    else
        runuser -u postgres -- "$@"
    fi
}

# True if the server runs a statement. A hung one is no answer.
answers() {
    as_postgres timeout 20 "$PG_BIN/psql" --no-psqlrc --quiet --dbname=postgres \
        --command="SELECT 1" &> /dev/null
}

# Run SQL from stdin as the superuser; the words are psql's. What fails is not logged: it may hold
# the verifier of a password.
run_sql() {
    PGOPTIONS="-c log_statement=none -c log_min_error_statement=panic" \
        within 30 runuser -u postgres -- "$PG_BIN/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@"
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
        within 30 systemctl reload postgresql
    fi
}
