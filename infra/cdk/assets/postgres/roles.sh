#!/usr/bin/env bash
# Gives the database its roles and their passwords. Run it again after a new password was put into
# a secret: it holds for the next connection on, and open ones stay.
#
# The server is told what it keeps of a password (scram.py), never the password itself, so neither
# a log, nor a list of processes or statements can show one.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

password_of() {
    local role=$1 id=$2 secret verifier
    secret=$(retry aws secretsmanager get-secret-value --secret-id "$id" \
        --query SecretString --output text)
    verifier=$(printf '%s' "$secret" | python3 "$HERE/scram.py" "$role" "$DB_HOST")
    echo "ALTER ROLE $role PASSWORD '$verifier';"
}

# All of it, before any of it runs.
passwords=$(
    password_of migrator "$MIGRATOR_SECRET"
    password_of loader "$LOADER_SECRET"
    password_of reader "$READER_SECRET"
)

run_sql --dbname=postgres --set=name="$DB_NAME" << 'SQL'
SELECT format('CREATE DATABASE %I', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL
{ cat "$HERE/roles.sql" && echo "$passwords"; } | run_sql --dbname="$DB_NAME" --single-transaction
