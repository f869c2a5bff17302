"""Where Postgres is, and what its host is like."""

from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from infra.cdk.sizes import Part

Role = Literal["migrator", "loader", "reader"]
"""Who uses the database: makes its tables, fills them, reads them."""

WIDEST = 16
"""The shortest prefix that may be let in: Data Studio's own ranges are no wider."""


def words(text: Any) -> Any:
    """Read a list as the command line gives it: `-c listeners=me,anna`; empty text: none."""
    return [word for word in text.split(",") if word] if isinstance(text, str) else text


def _narrow(network: IPv4Network) -> IPv4Network:
    if network.prefixlen < WIDEST:
        raise ValueError(f"{network} is wider than /{WIDEST}, too wide to let in")
    return network


class DatabaseConfig(Part):
    """Where Postgres is.

    `managed`: on a host of the data stack. `external`: it exists already (RDS, Aurora, Neon, the
    local one), and so do its secrets `<name>/database/{migrator,loader,reader}` and its parameters
    `/<name>/database/{host,ca-pem}`.
    """

    mode: Literal["managed", "external"] = "managed"
    verify_tls: bool = True
    """False only where the database is on the loopback."""


class HostConfig(Part):
    """The host of a managed Postgres. Nearly every change replaces it; its data stay."""

    # Graviton: the image is for arm64. Smaller than micro, dnf runs out of memory.
    instance_type: Annotated[str, Field(pattern=r"^[a-z]+[0-9]+g[a-z]*\.[a-z0-9]+$")] = "t4g.micro"
    volume_gib: Annotated[int, Field(ge=1, le=16_384)] = 10
    """Size of the data volume; it can grow, and never shrink. The file system follows with the
    next host, or by `/opt/pg/disk.sh` on this one."""
    snapshot_id: Annotated[str, Field(pattern=r"^(snap-[0-9a-f]{8,17})?$")] = ""
    """A snapshot that the data volume begins with; a change makes a new volume, and the one
    before is kept."""
    # The data directory pins it, so moving on is a `pg_upgrade`, not a deployment.
    postgres_major: Literal[17] = 17
    data_studio_cidrs: Annotated[
        tuple[Annotated[IPv4Network, AfterValidator(_narrow)], ...], BeforeValidator(words)
    ] = ()
    """Networks from which role reader may connect, with a client certificate; empty: none."""
