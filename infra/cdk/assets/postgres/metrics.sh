#!/usr/bin/env bash
# Publishes how full the data volume is and how old the backups are, as user postgres. It does so
# only while Postgres answers, because the alarm HostFailed rings for the silence.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

publish() {
    timeout 60 aws cloudwatch put-metric-data --namespace "$METRIC_NAMESPACE" --metric-data "$1"
}

# When the newest snapshot of this volume began; a new volume has none until the next night.
snapshot_time() {
    local time
    # As JSON, because text is queried page by page.
    time=$(timeout 60 aws ec2 describe-snapshots --owner-ids self --output json \
        --filters "Name=volume-id,Values=$VOLUME_ID" Name=status,Values=completed \
        --query "max_by(Snapshots, &StartTime).StartTime" | tr -d '"')
    [ "$time" != null ] ||
        time=$(timeout 60 aws ec2 describe-volumes --volume-ids "$VOLUME_ID" --output text \
            --query "Volumes[0].CreateTime")
    date --date="$time" +%s
}

answers || fail "Postgres does not answer: no metric is published, so HostFailed rings"
used_percent=$(df --output=pcent "$PG_HOME" | tail -1 | tr -dc 0-9)
publish "MetricName=DiskUsedPercent,Unit=Percent,Value=$used_percent"

# Before the first dump, the age of the data themselves.
[ -e "$STAMP" ] || STAMP=$PGDATA/PG_VERSION
dump=$(stat --format=%Y "$STAMP") snapshot=$(snapshot_time)
# There are two kinds of backup, and the older one is the one that fails.
age_s=$(($(date +%s) - (dump < snapshot ? dump : snapshot)))
publish "MetricName=BackupAgeHours,Value=$((age_s / 3600)).$((age_s % 3600 * 10 / 3600))"
