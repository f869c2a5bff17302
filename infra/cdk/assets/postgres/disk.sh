#!/usr/bin/env bash
# Gives this instance the data volume and the address that outlive each host. Run it again after
# the volume was made larger: the file system grows into it.
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"

: "${DEVICES:=/dev/disk/by-id}"
DEVICE=$DEVICES/nvme-Amazon_Elastic_Block_Store_${VOLUME_ID/-/}

# Never by force: the former host may still be writing.
attach() {
    [ -e "$DEVICE" ] && return
    bounded 60 aws ec2 wait volume-available --volume-ids "$VOLUME_ID" &&
        bounded 15 aws ec2 attach-volume --device /dev/sdf --volume-id "$VOLUME_ID" \
            --instance-id "$INSTANCE_ID" > /dev/null
}

# An address that is this instance's already is no error. The call replaces the address by which it
# was made, so its answer may never arrive; those that follow may fail until packets find their way.
take_address() {
    bounded 15 aws ec2 associate-address --allocation-id "$EIP_ALLOCATION_ID" \
        --instance-id "$INSTANCE_ID" > /dev/null
}

# blkid answers 0 for a disk that holds something and 2 for a blank one; no other answer is a
# reason to format.
format_if_blank() {
    local answer=0
    timeout 15 blkid --probe "$DEVICE" > /dev/null || answer=$?
    case $answer in
        0) ;;
        2) within 30 mkfs.xfs -L pgdata "$DEVICE" ;;
        *) fail "cannot tell what is on $DEVICE: blkid answers $answer" ;;
    esac
}

mount_it() {
    local line="$DEVICE $PG_HOME xfs defaults,noatime,nofail 0 2"
    grep --quiet --fixed-strings --line-regexp "$line" "$ETC/fstab" || echo "$line" >> "$ETC/fstab"
    mkdir -p "$PG_HOME"
    mountpoint --quiet "$PG_HOME" || within 30 mount "$PG_HOME"
    within 15 xfs_growfs "$PG_HOME" > /dev/null
}

INSTANCE_ID=$(retry 30 instance_id)
retry 300 attach
retry 30 test -e "$DEVICE"
retry 60 take_address
format_if_blank
mount_it
