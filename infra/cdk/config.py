"""What can be configured, as one validated object.

Values come from the context of `cdk.json`: `pipeline` holds them, `pipeline:<target>` what a target
changes, and `cdk … -c name=value` wins over both; a dot reaches inside (`-c loader.timeout_s=5`).
What nobody sets has its default here.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from shared.errors import SettingsError
from shared.models import Listener

VISIBILITY_FACTOR = 6
"""Function timeouts for which a queue hides a message in work: AWS's advice for event sources."""


def _words(text: Any) -> Any:
    """Read a list as the command line gives it: `-c listeners=me,anna`."""
    return text.split(",") if isinstance(text, str) else text


Url = Annotated[str, Field(pattern=r"^https?://[^/\s]+(/[^\s]*[^/\s])?$")]
Seconds = Annotated[int, Field(ge=1, le=900)]
Megabytes = Annotated[int, Field(ge=128, le=10_240)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FunctionConfig(_Part):
    """The size of one function; Lambda gives a whole core at 1,769 MB."""

    timeout_s: Seconds = 60
    memory_mb: Megabytes = 256
    disk_mb: Annotated[int, Field(ge=512, le=10_240)] = 512


class ConsumerConfig(FunctionConfig):
    """A function that consumes a queue, and how that queue feeds it."""

    batch_size: Annotated[int, Field(ge=1, le=10)] = 10
    window_s: Annotated[int, Field(ge=0, le=300)] = 0
    """How long to wait for a batch to fill."""
    max_receives: Annotated[int, Field(ge=1, le=1_000)] = 5
    """Attempts before a message becomes a dead letter."""
    visibility_s: Annotated[int, Field(ge=1, le=43_200)] | None = None
    """How long a message in work stays hidden, thus the pause before its next attempt."""

    @property
    def visibility_timeout_s(self) -> int:
        """How long a message in work stays hidden, by AWS's rule where nothing else is set."""
        return self.visibility_s or self.advised_visibility_s

    @property
    def advised_visibility_s(self) -> int:
        """How long AWS advises to hide a message in work."""
        return VISIBILITY_FACTOR * self.timeout_s + self.window_s

    @model_validator(mode="after")
    def _outlives_the_function(self) -> Self:
        if self.visibility_timeout_s < self.timeout_s:
            raise ValueError("visibility_s is shorter than timeout_s, which Lambda refuses")
        return self


class BackfillConfig(ConsumerConfig):
    """A whole core and the longest time there is.

    The disk holds the upload being read, 1 GiB at most, and its unreadable rows.
    """

    timeout_s: Seconds = 900
    memory_mb: Megabytes = 1_769
    disk_mb: Annotated[int, Field(ge=512, le=10_240)] = 4_096
    batch_size: Annotated[int, Field(ge=1, le=1)] = 1
    max_receives: Annotated[int, Field(ge=1, le=1_000)] = 3


class EnricherConfig(ConsumerConfig):
    """The window gathers the plays of neighbouring polls: 40 tracks cost one feature call.

    The memory holds what the container remembers of tracks, up to 200 MB.
    """

    timeout_s: Seconds = 120
    memory_mb: Megabytes = 1_024
    window_s: Annotated[int, Field(ge=0, le=300)] = 3


class HealerConfig(FunctionConfig):
    """A healing asks source after source without a pause, so the number of tracks is its pace.

    2,000 tracks are 100 calls in a minute or so, then none until the next hour: other users of
    ReccoBeats, whose limit nobody published, pause for a second or two after each call.
    """

    timeout_s: Seconds = 300
    every_minutes: Annotated[int, Field(ge=2, le=1_440)] = 60
    most_tracks: Annotated[int, Field(ge=1)] = 2_000


class LoaderConfig(ConsumerConfig):
    """Ten attempts, six minutes apart: the database may be away for an hour."""

    memory_mb: Megabytes = 512
    max_receives: Annotated[int, Field(ge=1, le=1_000)] = 10


class MigratorConfig(FunctionConfig):
    """A migration may rewrite a table, so it gets longer than a load."""

    timeout_s: Seconds = 300


class DatabaseConfig(_Part):
    """Where Postgres is.

    `external`: it exists already, and so do its secrets `<name>/database/{migrator,loader,reader}`
    and its parameters `/<name>/database/{host,ca-pem}`.
    """

    mode: Literal["external"] = "external"
    verify_tls: bool = True
    """False only where the database is on the loopback."""


class PipelineConfig(_Part):
    """One deployment of the pipeline."""

    target: Literal["aws", "local"] = "aws"
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,31}$")] = "spotify-pipeline"
    """What the fixed names begin with."""
    listeners: Annotated[tuple[Listener, ...], BeforeValidator(_words), Field(min_length=1)] = (
        "me",
    )
    # The API shows 50 plays, and a play takes 30 s: within 25 minutes none can slip out of sight.
    poll_minutes: Annotated[int, Field(ge=1, le=25)] = 20
    polling_enabled: bool = True
    alert_email: Annotated[str, Field(pattern=r"^([^@\s]+@[^@\s]+)?$")] = ""
    """Who hears of alarms; empty: nobody."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    spotify_api_url: Url = "https://api.spotify.com"
    spotify_accounts_url: Url = "https://accounts.spotify.com"
    reccobeats_url: Url = "https://api.reccobeats.com"
    feature_sources: Annotated[
        tuple[Literal["reccobeats", "spotify"], ...], BeforeValidator(_words)
    ] = ("reccobeats",)
    """In the order in which they are asked; Spotify answers apps of before November 2024 alone."""
    features_login: Listener | None = None
    """Whose login names the app that asks Spotify for features; by default the first listener's."""
    spotify_daily_calls: Annotated[int, Field(ge=1)] = 200
    """For features; Spotify has locked apps out, live capture too, at some 600 calls in a day."""
    match_window_s: Annotated[int, Field(ge=0, le=600)] = 90
    """How far an API and an export record of one play may lie apart."""
    database: DatabaseConfig = DatabaseConfig()
    require_tls: bool = True
    """Whether bucket, queues and topic refuse plain HTTP, which is all the local cloud speaks."""
    dependency_layer: bool = True
    """Whether a layer brings the functions their libraries; without it their host has them."""
    keep_data: bool = True
    """Whether bucket, tables and secrets outlive the stack."""
    deploy_as: Literal["bootstrap-roles", "cli-credentials"] = "bootstrap-roles"
    """Who deploys: the roles of `cdk bootstrap`, or whoever runs the command line."""
    collector: FunctionConfig = FunctionConfig()
    backfill: BackfillConfig = BackfillConfig()
    enricher: EnricherConfig = EnricherConfig()
    healer: HealerConfig = HealerConfig()
    loader: LoaderConfig = LoaderConfig()
    migrator: MigratorConfig = MigratorConfig()

    @model_validator(mode="after")
    def _shortcuts_stay_local(self) -> Self:
        hurried = [
            name
            for name in ("backfill", "enricher", "loader")
            if (stage := getattr(self, name)).visibility_timeout_s < stage.advised_visibility_s
        ]
        if self.target == "aws" and hurried:
            raise ValueError(f"visibility_s is below AWS's advice: {', '.join(hurried)}")
        if self.target == "aws" and not (self.require_tls and self.database.verify_tls):
            raise ValueError(
                "require_tls and database.verify_tls are for the local cloud to turn off"
            )
        return self

    @model_validator(mode="after")
    def _features_login_is_a_listener(self) -> Self:
        if self.features_login not in {None, *self.listeners}:
            raise ValueError(f"features_login: {self.features_login} is none of the listeners")
        return self

    @property
    def features_secret(self) -> str:
        """The name of the secret with the app that asks Spotify for features; empty: none does."""
        if "spotify" not in self.feature_sources:
            return ""
        return f"{self.listener_secret_prefix}{self.features_login or self.listeners[0]}"

    @property
    def listener_secret_prefix(self) -> str:
        """What the names of the listeners' secrets begin with."""
        return f"{self.name}/listener/"

    @property
    def database_host_parameter(self) -> str:
        """The name of the parameter that tells the database's host."""
        return f"/{self.name}/database/host"

    @property
    def database_ca_parameter(self) -> str:
        """The name of the parameter with the CA to trust; empty: no TLS."""
        return f"/{self.name}/database/ca-pem" if self.database.verify_tls else ""

    def database_secret(self, role: Literal["migrator", "loader", "reader"]) -> str:
        """Name the secret of a database role."""
        return f"{self.name}/database/{role}"


def load(context: Mapping[str, Any]) -> PipelineConfig:
    """Read the configuration from a CDK context.

    A name without colon or slash is one of ours, so that a misspelt `-c` is refused, not ignored.

    Raises:
        SettingsError: A value is unknown or wrong; names each.
    """
    common = context.get("pipeline", {})
    given = {path: value for path, value in context.items() if not {":", "/"} & set(path)}
    given.pop("pipeline", None)
    target = given.get("target", common.get("target", "aws"))
    values = _merged(common, context.get(f"pipeline:{target}", {}))
    for path, value in given.items():
        values = _merged(values, _nested(path, value))
    try:
        return PipelineConfig.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'all'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise SettingsError(f"bad configuration: {faults}") from None


def _nested(path: str, value: Any) -> dict[str, Any]:
    """Turn `loader.timeout_s` and 5 into `{"loader": {"timeout_s": 5}}`."""
    name, _, rest = path.partition(".")
    return {name: _nested(rest, value) if rest else value}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one tree of values over another."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[name] = _merged(under, value) if both else value  # type: ignore[arg-type]
    return merged
