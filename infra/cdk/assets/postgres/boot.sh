#!/usr/bin/env bash
# Makes an instance the database host; on one that is the host already it changes nothing.
# cfn-init runs it once, and CloudFormation gets its result. What it says also goes to the console,
# which can be read after the instance is gone (docs/operate.md, HostFailed).
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# Seconds from here until Postgres must serve. CloudFormation waits 1,800 s for its signal, of which the
# start of the instance and the steps after Postgres may take 200 s each.
START_BY_S=1370
exec &> >(exec tee --append "${CONSOLE:-/dev/console}")

packages() {
    bounded 140 dnf install --assumeyes --quiet "postgresql$PG_MAJOR-server" openssl diffutils
}

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
retry 300 packages
"$HERE/cluster.sh"
"$HERE/tls.sh"
"$HERE/configure.sh"
units
# Crash recovery comes first. An interrupted one begins anew on the next host, so it gets all the time
# that is left: RECOVERY_S and more after a boot as usual.
within "$((START_BY_S - SECONDS))" systemctl enable --now postgresql
"$HERE/roles.sh"
# Until this timer runs the boot counts as failed: what is below it must not fail.
systemctl enable --now pg-backup.timer pg-check.timer pg-metrics.timer pg-tls.timer
# The boot was fast by borrowed credits, which cost money from now on.
systemctl enable --now --no-block pg-credits || say "pg-credits cannot start: the CPU credits stay unlimited"
# The alarms that follow a boot find a first value, so they do not ring.
timeout 45 systemctl start pg-metrics || say "no metric was published: the timer tries again"
say "Postgres $PG_MAJOR serves $DB_NAME as $DB_HOST"
