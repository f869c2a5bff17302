#!/usr/bin/env bash
# Makes an instance the database host; on one that is the host already it changes nothing.
# cfn-init runs it once, and tells CloudFormation whether it succeeded.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

units() {
    local unit
    install -d "$ETC/systemd/system/postgresql.service.d"
    place "$ETC/systemd/system/postgresql.service.d/pipeline.conf" root 644 \
        < "$HERE/postgresql-service.conf"
    for unit in "$HERE"/pg-*.service "$HERE"/pg-*.timer; do
        place "$ETC/systemd/system/${unit##*/}" root 644 < "$unit"
    done
    systemctl daemon-reload
}

"$HERE/disk.sh"
retry dnf install --assumeyes --quiet "postgresql$PG_MAJOR-server" openssl diffutils
"$HERE/cluster.sh"
"$HERE/tls.sh"
"$HERE/configure.sh"
units
systemctl enable --now postgresql
"$HERE/roles.sh"
systemctl enable --now pg-backup.timer pg-metrics.timer pg-tls.timer
# The alarms that follow a boot find the host's first word, so its silence mails nobody.
systemctl start pg-metrics || say "CloudWatch was told nothing: the timer tries again"
say "Postgres $PG_MAJOR serves $DB_NAME as $DB_HOST"
