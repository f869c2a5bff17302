#!/usr/bin/env bash
# Ends the unlimited CPU credits that this instance was launched with: a new instance has no credits
# of its own, and its boot would run on a fifth of a core. From now on it is slowed down where it
# would cost money. Instances of a type without credits are left alone.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

# EC2 answers with success whether it changed the instance or not, so its answer counts.
lower() {
    local changed
    changed=$(bounded 15 aws ec2 modify-instance-credit-specification --output text \
        --instance-credit-specifications "InstanceId=$INSTANCE_ID,CpuCredits=$CPU_CREDITS" \
        --query "SuccessfulInstanceCreditSpecifications[].InstanceId") &&
        [ "$changed" = "$INSTANCE_ID" ]
}

[ -n "$CPU_CREDITS" ] || exit 0
INSTANCE_ID=$(retry 30 instance_id)
retry 60 lower
say "the CPU credits are $CPU_CREDITS"
