"""The boot of the database host: its scripts, their variables, and the report of a failure."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Aws, Duration
from aws_cdk import aws_ec2 as ec2

SCRIPTS = Path(__file__).parents[1] / "assets" / "postgres"
HOME = "/opt/pg"
BOOTED = "pg-check.timer"
"""The systemd unit that is active after a successful boot."""
INSTANCE_ID = "/var/lib/cloud/data/instance-id"
GIVE_UP = Duration.hours(1)
"""Time during which an instance whose boot failed tries to report itself."""


def first_boot(facts: Mapping[str, str]) -> ec2.CloudFormationInit:
    """Return the cfn-init commands of a host's first boot.

    They write the scripts to `/opt/pg` and their variables `facts` to `/opt/pg/env`, then run
    `boot.sh`. The files are part of the template, so the host needs no right to read CDK's assets.
    Any change of a file replaces the host.
    """
    env = "".join(f"{name}={value}\n" for name, value in facts.items())
    files = [ec2.InitFile.from_string(f"{HOME}/env", env)]
    files += [
        ec2.InitFile.from_file_inline(
            f"{HOME}/{path.name}", str(path), mode="000755" if path.suffix == ".sh" else "000644"
        )
        for path in sorted(SCRIPTS.iterdir())
        if path.is_file()
    ]
    boot = ec2.InitCommand.shell_command(f"{HOME}/boot.sh", key="boot")
    return ec2.CloudFormationInit.from_config_sets(
        config_sets={"default": ["files", "boot"]},
        configs={"files": ec2.InitConfig(files), "boot": ec2.InitConfig([boot])},
    )


def report_failed_boot() -> list[str]:
    """Return the shell lines with which an instance reports itself unhealthy after a failed boot.

    Its Auto Scaling group then replaces it. EC2's own health checks would not notice, because they
    check only the machine. The lines run after the signal to CloudFormation, so a deployment fails
    with the message of the boot. They also run if cfn-init could not start the boot.
    """
    report = (
        f"aws autoscaling set-instance-health --region {Aws.REGION} --health-status Unhealthy"
        " --no-should-respect-grace-period"
        f' --instance-id "$(cat {INSTANCE_ID})"'
    )
    return [
        f"until systemctl --quiet is-active {BOOTED} || timeout 60 {report}; do",
        f"  [ $SECONDS -lt {GIVE_UP.to_seconds()} ] || break",
        "  sleep 20",
        "done",
    ]
