"""What the database host gets to boot with: its scripts, and the facts they work from."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import aws_ec2 as ec2

SCRIPTS = Path(__file__).parents[1] / "assets" / "postgres"
HOME = "/opt/pg"


def first_boot(facts: Mapping[str, str]) -> ec2.CloudFormationInit:
    """Put every script below `/opt/pg` with the facts in `/opt/pg/env`, then run `boot.sh`.

    The files travel in the template, so the host needs no right to read CDK's assets. Any change
    of them replaces the host.
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
