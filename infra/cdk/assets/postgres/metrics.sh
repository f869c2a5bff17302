#!/usr/bin/env bash
# Tells CloudWatch how full the data volume is and how old the last backup is, as user postgres.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

used_percent=$(df --output=pcent "$PG_HOME" | tail -1 | tr -dc 0-9)
# Before the first backup, the age of the data themselves.
[ -e "$STAMP" ] || STAMP=$PGDATA/PG_VERSION
age_s=$(($(date +%s) - $(stat --format=%Y "$STAMP")))
age_hours=$((age_s / 3600)).$((age_s % 3600 * 10 / 3600))

aws cloudwatch put-metric-data --namespace "$METRIC_NAMESPACE" --metric-data \
    "MetricName=DiskUsedPercent,Unit=Percent,Value=$used_percent" \
    "MetricName=BackupAgeHours,Value=$age_hours"
