#!/usr/bin/env bash
# Gives the database its roles and their passwords. For a new password delete the parameter with the
# login of a role, then run it: it holds for the next connection on, and open ones stay.
#
# A password is made here and published as an encrypted parameter. The server is told what it keeps
# of a password (scram.py), never the password itself, so neither a log, nor a list of processes or
# statements can show one.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# The login of a role, made where there is none yet. Within `retry` nothing ends by itself.
login_of() {
    local role=$1 parameter=$2 login password
    # Where there is no such parameter it says None.
    login=$(bounded 12 aws ssm get-parameters --with-decryption --names "$parameter" \
        --query "Parameters[0].Value" --output text) || return
    if [ "$login" = None ]; then
        password=$(openssl rand -hex 20) || return
        printf -v login '{"username": "%s", "password": "%s", "dbname": "%s", "port": 5432}' \
            "$role" "$password" "$DB_NAME"
        # What somebody has published meanwhile is not overwritten, but read by the next attempt.
        printf '%s' "$login" | bounded 12 aws ssm put-parameter --name "$parameter" --type SecureString \
            --value file:///dev/stdin > /dev/null || return
        say "made a new password for $role" >&2
    fi
    printf '%s' "$login"
}

password_of() {
    local role=$1 parameter=$2 login verifier
    login=$(retry 30 login_of "$role" "$parameter")
    verifier=$(printf '%s' "$login" | python3 "$HERE/scram.py" "$role" "$DB_HOST" "$DB_NAME")
    echo "ALTER ROLE $role PASSWORD '$verifier';"
}

# All of it, before any of it runs.
passwords=$(
    password_of migrator "$MIGRATOR_PARAMETER"
    password_of loader "$LOADER_PARAMETER"
    password_of reader "$READER_PARAMETER"
    password_of report_reader "$REPORT_READER_PARAMETER"
)

run_sql --dbname=postgres --set=name="$DB_NAME" << 'SQL'
SELECT format('CREATE DATABASE %I', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL
{ cat "$HERE/roles.sql" && echo "$passwords"; } | run_sql --dbname="$DB_NAME" --single-transaction
