#!/usr/bin/env bash
# Checks that Postgres answers, as root. If it does not, restarts it once; if that does not help,
# reports this instance unhealthy, so that the group replaces it. EC2's own checks see the machine
# only. Before you stop Postgres by hand: systemctl stop pg-check.timer
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# Seconds without an answer. A server in crash recovery refuses connections, and gets RECOVERY_S.
RESTART_AFTER_S=120 GIVE_UP_AFTER_S=600
SILENT=$RUNTIME_DIRECTORY/silent RESTARTED=$RUNTIME_DIRECTORY/restarted

report_unhealthy() {
    bounded 15 aws autoscaling set-instance-health --instance-id "$INSTANCE_ID" \
        --health-status Unhealthy --no-should-respect-grace-period
}

if answers; then
    rm -f "$SILENT" "$RESTARTED"
    exit
fi
[ -e "$SILENT" ] || touch "$SILENT"
silent_s=$(($(date +%s) - $(stat --format=%Y "$SILENT")))
state=0 limit_s=$GIVE_UP_AFTER_S
as_postgres timeout 20 "$PG_BIN/pg_isready" --quiet || state=$?
# "The server is alive but rejecting connections", as it does while it starts and recovers.
if [ "$state" = 1 ]; then
    limit_s=$RECOVERY_S
fi
say "Postgres has not answered for $silent_s s (pg_isready: $state)"
if [ "$silent_s" -ge "$limit_s" ]; then
    INSTANCE_ID=$(retry 30 instance_id)
    retry 60 report_unhealthy
    say "reported this instance unhealthy: the group replaces it"
elif [ "$state" != 1 ] && [ "$silent_s" -ge "$RESTART_AFTER_S" ] && [ ! -e "$RESTARTED" ]; then
    touch "$RESTARTED"
    systemctl restart --no-block postgresql
    say "restarted Postgres"
fi
