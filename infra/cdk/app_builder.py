"""Build the CDK app, for `app.py` and the tests alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App, Stack, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra.cdk.config import PipelineConfig
from infra.cdk.data_stack import DataStack
from infra.cdk.oidc_stack import OidcStack
from infra.cdk.pipeline_stack import PipelineStack


def new_app(context: Mapping[str, Any] | None = None, outdir: Path | None = None) -> App:
    """Return a CDK app; its default context comes from `cdk.json` and the `-c` options."""
    return App(context=context, outdir=str(outdir) if outdir else None)


@dataclass(frozen=True)
class Stacks:
    """The stacks of one deployment."""

    data: DataStack
    pipeline: PipelineStack
    oidc: OidcStack | None

    @property
    def all(self) -> list[Stack]:
        """All stacks of this deployment, in the order in which they are deployed."""
        return [stack for stack in (self.oidc, self.data, self.pipeline) if stack]


def build(app: App, config: PipelineConfig) -> Stacks:
    """Add the stacks of one deployment, their tags and the rules of cdk-nag.

    Synthesis fails if a resource breaks a rule of AwsSolutions and no acknowledgment permits it.
    """
    data = DataStack(
        app,
        "SpotifyData",
        config=config,
        termination_protection=True,
        description="Listening history: the database, the archive, and the alarm topic",
    )
    pipeline = PipelineStack(
        app,
        "SpotifyPipeline",
        config=config,
        network=data.network,
        description="Listening history: collects, enriches and loads what people play on Spotify",
    )
    # Fixed names, by which the stacks refer to each other, imply no order of deployment.
    pipeline.add_stack_dependency(data)
    oidc = None
    if config.github_repository:
        oidc = OidcStack(
            app,
            "SpotifyDeployer",
            config=config,
            description="Listening history: lets GitHub deploy it",
        )
    Tags.of(app).add("project", config.name)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    return Stacks(data, pipeline, oidc)
