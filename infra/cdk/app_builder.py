"""Put the app together; `app.py` and the tests build the same one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import (
    Acknowledgment,
    App,
    CliCredentialsStackSynthesizer,
    DefaultStackSynthesizer,
    Tags,
    Validations,
)
from cdk_nag import AwsSolutionsChecks

from infra.cdk.config import PipelineConfig
from infra.cdk.pipeline_stack import PipelineStack

SYNTHESIZERS = {
    "bootstrap-roles": DefaultStackSynthesizer,
    "cli-credentials": CliCredentialsStackSynthesizer,
}


def new_app(context: Mapping[str, Any] | None = None, outdir: Path | None = None) -> App:
    """Make an app; the CDK command line tells it by itself what `cdk.json` and `-c` say."""
    return App(context=context, outdir=str(outdir) if outdir else None)


def build(app: App, config: PipelineConfig) -> PipelineStack:
    """Add the stacks of one deployment, their tags and the rules they must keep.

    Synthesis fails where a rule of AwsSolutions is broken without an acknowledgment.
    """
    stack = PipelineStack(
        app,
        "SpotifyPipeline",
        config=config,
        synthesizer=SYNTHESIZERS[config.deploy_as](),
        description="Listening history: collects, enriches and loads what people play on Spotify",
    )
    Tags.of(app).add("project", config.name)
    if not config.require_tls:
        _acknowledge_plain_http(stack)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    return stack


def _acknowledge_plain_http(stack: PipelineStack) -> None:
    reason = "the local cloud listens on the loopback only and speaks plain HTTP"
    Validations.of(stack).acknowledge(
        *(
            Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason)
            for rule in ("S10", "SQS4", "SNS3")
        )
    )
