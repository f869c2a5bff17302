"""The configuration of one deployment, and how it is read from the CDK context.

In `cdk.json`, `pipeline` holds the values, and `pipeline:<target>` overrides them for one target.
`cdk … -c name=value` overrides both; a dot reaches a nested value (`-c loader.timeout_s=5`).
Account and region come from environment variables, which the CDK sets from its AWS credentials.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from infra.cdk.database import DatabaseConfig, HostConfig, Role, words
from infra.cdk.sizes import (
    BackfillConfig,
    DeriveConfig,
    EnricherConfig,
    FunctionConfig,
    HealerConfig,
    LoaderConfig,
    MigratorConfig,
    Part,
    QueriesConfig,
)
from shared.errors import SettingsError
from shared.faults import faults_of
from shared.models import Listener

AWS_POLL_MINUTES = 15
"""The shortest time between polls on AWS.

A poll may store a new refresh token, and so a new version of the listener's secret. Secrets Manager
keeps about 100 versions and deletes none that is younger than 24 hours. It rejects any version
beyond these, so the login would be lost. A poll every 15 minutes makes 96 versions a day.

Source:
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
"""

Url = Annotated[str, Field(pattern=r"^https?://[^/\s]+(/[^\s]*[^/\s])?$")]


class Place(Part):
    """The AWS account and region of a deployment."""

    account: Annotated[str, Field(pattern=r"^[0-9]{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)+-[0-9]+$")]


class PipelineConfig(Part):
    """The settings of one deployment of the pipeline."""

    target: Literal["aws", "local"] = "aws"
    place: Place | None = None
    """Account and region, from the CDK; None makes templates for any account and region."""
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,26}$")] = "spotify-pipeline"
    """Prefix of the fixed names; the length of a bucket's name limits it."""
    listeners: Annotated[tuple[Listener, ...], BeforeValidator(words), Field(min_length=1)] = (
        "me",
    )
    # The API shows the last 50 plays of at least 30 s each, which span 25 minutes or more.
    poll_minutes: Annotated[int, Field(ge=1, le=25)] = 20
    """On AWS at least `AWS_POLL_MINUTES`."""
    polling_enabled: bool = True
    alert_email: Annotated[str, Field(pattern=r"^([^@\s]+@[^@\s]+)?$")] = ""
    """Receives the alarms; empty: no mail is sent."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    spotify_api_url: Url = "https://api.spotify.com"
    spotify_accounts_url: Url = "https://accounts.spotify.com"
    reccobeats_url: Url = "https://api.reccobeats.com"
    feature_sources: Annotated[
        tuple[Literal["reccobeats", "spotify"], ...], BeforeValidator(words)
    ] = ("reccobeats",)
    """In the order they are asked; Spotify serves only apps made before November 2024."""
    features_login: Listener | None = None
    """The listener whose app requests features from Spotify; by default the first listener."""
    spotify_daily_calls: Annotated[int, Field(ge=1)] = 200
    """Limit for features: at about 600 calls a day Spotify has locked out apps, including polls."""
    match_window_s: Annotated[int, Field(ge=0, le=600)] = 90
    """Greatest distance between a poll record and an export record of one play, seconds."""
    monthly_budget_usd: Annotated[int, Field(ge=0)] = 20
    """Budget of the whole account; `alert_email` gets a mail at 80 and at 100 %. 0: no budget."""
    database: DatabaseConfig = DatabaseConfig()
    host: HostConfig = HostConfig()
    # For repositories made since July 2026, tokens include the ids: owner@1/name@2.
    github_repository: Annotated[
        str, Field(pattern=r"^([A-Za-z0-9-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?)?$")
    ] = ""
    """The repository whose main branch may deploy, as GitHub's tokens name it; empty: none."""
    dependency_layer: bool = True
    """Whether a layer holds the libraries; if not, they are installed where the functions run."""
    collector: FunctionConfig = FunctionConfig()
    backfill: BackfillConfig = BackfillConfig()
    enricher: EnricherConfig = EnricherConfig()
    healer: HealerConfig = HealerConfig()
    loader: LoaderConfig = LoaderConfig()
    migrator: MigratorConfig = MigratorConfig()
    queries: QueriesConfig = QueriesConfig()
    derive: DeriveConfig = DeriveConfig()

    @model_validator(mode="after")
    def _is_safe_on_aws(self) -> Self:
        if self.target != "aws":
            return self
        hurried = [
            name
            for name in ("backfill", "enricher", "loader")
            if (stage := getattr(self, name)).visibility_timeout_s < stage.advised_visibility_s
        ]
        if hurried:
            raise ValueError(
                "visibility_s must be at least 6 * timeout_s + window_s, as AWS advises; raise it"
                " for: "
                f"{', '.join(hurried)}"
            )
        if not self.database.verify_tls:
            raise ValueError("database.verify_tls must be true, except in the local cloud")
        if self.poll_minutes < AWS_POLL_MINUTES:
            raise ValueError(
                f"poll_minutes must be at least {AWS_POLL_MINUTES} on AWS, because each poll may"
                " store a new refresh token, and Secrets Manager accepts only about 100 a day"
            )
        plain = [
            name
            for name, value in self
            if name.endswith("_url") and not value.startswith("https://")
        ]
        if plain:
            raise ValueError(
                f"these URLs must be https, because they carry tokens and plays: {', '.join(plain)}"
            )
        return self

    @model_validator(mode="after")
    def _fits_the_local_cloud(self) -> Self:
        if self.target == "local" and self.database.mode == "managed":
            raise ValueError(
                "database.mode must be external, because the local cloud creates no database host"
            )
        if self.target == "local" and self.database.network:
            raise ValueError(
                "database.network must be unset, because the local cloud uses the loopback"
            )
        return self

    @model_validator(mode="after")
    def _host_is_in_the_region(self) -> Self:
        zone = self.host.availability_zone
        if self.place and zone and zone[:-1] != self.place.region:
            raise ValueError(
                f"host.availability_zone: {zone} is not in {self.place.region}, the region of your"
                f" AWS credentials; choose a zone of {self.place.region}"
            )
        return self

    @model_validator(mode="after")
    def _features_login_is_a_listener(self) -> Self:
        if self.features_login not in {None, *self.listeners}:
            raise ValueError(
                f"features_login: {self.features_login} is not a listener; choose one of"
                f" {', '.join(self.listeners)}"
            )
        return self

    @property
    def features_secret(self) -> str:
        """The name of the secret with the login for requesting features from Spotify.

        Empty if Spotify is not a source of features.
        """
        if "spotify" not in self.feature_sources:
            return ""
        return f"{self.listener_secret_prefix}{self.features_login or self.listeners[0]}"

    @property
    def listener_secret_prefix(self) -> str:
        """The prefix of the names of the secrets that hold the listeners' logins."""
        return f"{self.name}/listener/"

    @property
    def database_host_parameter(self) -> str:
        """The name of the SSM parameter with the database's host name."""
        return f"/{self.name}/database/host"

    @property
    def database_ca_parameter(self) -> str:
        """The name of the SSM parameter with the database's CA certificate; empty without TLS."""
        return f"/{self.name}/database/ca-pem" if self.database.verify_tls else ""

    def database_login_parameter(self, role: Role) -> str:
        """Return the name of the encrypted SSM parameter with the login of a database role."""
        return f"/{self.name}/database/{role}"


def load(
    context: Mapping[str, Any], environment: Mapping[str, str] = MappingProxyType({})
) -> PipelineConfig:
    """Read the configuration from a CDK context.

    Reject every context key that is not an option, such as a misspelt `-c`. A key with a colon or a
    slash is not taken for an option: it belongs to the CDK, or holds the values of a target.

    Args:
        context: The context of `cdk.json` and the command line.
        environment: The environment variables; the CDK puts account and region there if it has
            AWS credentials.

    Raises:
        SettingsError: Names each value that is unknown or wrong.
    """
    common = context.get("pipeline", {})
    given = {path: value for path, value in context.items() if not {":", "/"} & set(path)}
    given.pop("pipeline", None)
    target = given.get("target", common.get("target", "aws"))
    values = _merged(_place(environment) | common, context.get(f"pipeline:{target}", {}))
    for path, value in given.items():
        values = _merged(values, _nested(path, value))
    try:
        return PipelineConfig.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"bad configuration: {'; '.join(faults_of(error))}") from None


def _place(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the option `place` with account and region; empty if the CDK has set neither.

    The CDK sets them only if it has AWS credentials.
    """
    account = environment.get("CDK_DEFAULT_ACCOUNT")
    region = environment.get("CDK_DEFAULT_REGION")
    return {"place": {"account": account, "region": region}} if account and region else {}


def _nested(path: str, value: Any) -> dict[str, Any]:
    """Turn `loader.timeout_s` and 5 into `{"loader": {"timeout_s": 5}}`."""
    name, _, rest = path.partition(".")
    return {name: _nested(rest, value) if rest else value}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested values `below`, overridden by those of `above`."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        merged[name] = _merged(under, value) if both else value  # type: ignore[arg-type]
    return merged
