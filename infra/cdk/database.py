"""The configuration of Postgres and of its host."""

from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from infra.cdk.sizes import Part

Role = Literal["migrator", "loader", "reader", "report_reader"]
"""Database roles: migrator owns the tables, loader writes them, reader reads them, report_reader
reads only the views."""

ROLES: tuple[Role, ...] = get_args(Role)

DATABASE = "spotify"
"""The name of the database."""

WIDEST = 16
"""The shortest allowed prefix length, because Data Studio's own ranges are no wider."""


def words(text: Any) -> Any:
    """Split a text at commas, as in `-c listeners=me,anna`; an empty text gives an empty list.

    Other values stay as they are.
    """
    return [word for word in text.split(",") if word] if isinstance(text, str) else text


def _narrow(network: IPv4Network) -> IPv4Network:
    if network.prefixlen < WIDEST:
        raise ValueError(f"{network} is too wide: give networks of /{WIDEST} to /32")
    return network


class NetworkConfig(Part):
    """An existing network from which functions reach a private database."""

    vpc_id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]{8,17}$")]
    subnet_ids: Annotated[
        tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...],
        BeforeValidator(words),
        Field(min_length=1, max_length=16),
    ]
    """The subnets of the functions; each needs a route to Systems Manager."""
    security_group_id: Annotated[str, Field(pattern=r"^sg-[0-9a-f]{8,17}$")]
    """The functions' security group: the database admits it, and it allows ports 5432 and 443."""
    ipv6: bool = False
    """Whether AWS is reached over IPv6, as in a dual-stack subnet with an egress-only gateway."""


class DatabaseConfig(Part):
    """The settings of the Postgres database.

    `managed`: the data stack creates its host. `external`: the database already exists (RDS,
    Aurora, Neon, the local one), and so do its SSM parameters
    `/<name>/database/{migrator,loader,reader,host,ca-pem}`.
    """

    mode: Literal["managed", "external"] = "managed"
    network: NetworkConfig | None = None
    """The network of the functions for an external database; None: over the internet."""
    verify_tls: bool = True
    """False only if the database is on the loopback interface."""

    @model_validator(mode="after")
    def _has_one_network(self) -> Self:
        if self.network and self.mode == "managed":
            raise ValueError("network must be unset if mode is managed, which adds its own network")
        return self


class HostConfig(Part):
    """The settings of a managed Postgres host. Nearly every change replaces it; its data stay."""

    # Graviton, because the image is for arm64. On anything below micro, dnf runs out of memory.
    instance_type: Annotated[str, Field(pattern=r"^[a-z]+[0-9]+g[a-z]*\.[a-z0-9]+$")] = "t4g.micro"
    volume_gib: Annotated[int, Field(ge=1, le=16_384)] = 4
    """Size of the data volume, which can grow and never shrink. The file system
    grows when the next host boots, or by `/opt/pg/disk.sh` on the current one."""
    snapshot_id: Annotated[str, Field(pattern=r"^(snap-[0-9a-f]{8,17})?$")] = ""
    """The snapshot of the data volume; a change makes a new volume and keeps the old one."""
    # The letter gives the subnet its addresses, so local zones are left out.
    availability_zone: Annotated[str, Field(pattern=r"^([a-z]+(-[a-z]+)+-[0-9]+[a-h])?$")] = ""
    """The zone of host and data volume (`eu-west-1b`), because not every zone has every instance
    type; empty: the first of the region. A change makes a new volume, as a snapshot does."""
    # The data directory is bound to this version, so an upgrade needs `pg_upgrade`.
    postgres_major: Literal[17] = 17
    data_studio_cidrs: Annotated[
        tuple[Annotated[IPv4Network, AfterValidator(_narrow)], ...], BeforeValidator(words)
    ] = ()
    """Networks from which role report_reader may connect with a client certificate."""

    @property
    def volume_origin(self) -> str:
        """Zone and snapshot of the data volume, joined; empty if neither is configured.

        Then the volume is created empty, in the region's first zone. The text is part of the
        volume's logical id and tag, because CloudFormation updates neither the snapshot nor the
        zone of a volume: only another logical id makes another volume.

        Source:
            https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1505
            https://github.com/awsdocs/aws-cloudformation-user-guide/pull/556
        """
        return "-".join(part for part in (self.availability_zone, self.snapshot_id) if part)
