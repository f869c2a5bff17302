"""Runs the real CDK command line against the local cloud."""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import ClientError

from infra.local.aws import LocalAws, client
from infra.local.environment import ACCOUNT, REGION, local_aws
from infra.local.processes import Child
from infra.local.state import REPOSITORY, LocalCloudError
from shared.aws import error_code

STACK = "SpotifyPipeline"
BOOTSTRAP_STACK = "CDKToolkit"
COMMAND = REPOSITORY / "node_modules" / "aws-cdk" / "bin" / "cdk"
TIMEOUT_S = 600
PROCESS = "cdk"
"""Title of its child process."""
SHOWN_LINES = 12
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class Cdk:
    """Runs `cdk bootstrap` and `cdk deploy` for the local cloud in one home directory.

    Args:
        home: The home directory, which keeps CDK's assembly, stack outputs and log.
        aws: The endpoint of the local AWS, and the id of its administrator's key.
        command: The script of the CDK command line, which node runs.
    """

    def __init__(self, home: Path, aws: LocalAws, command: Path = COMMAND) -> None:
        self._aws = aws
        self._command = command
        self._process = Child(PROCESS, home)
        self._log = self._process.log
        self._outputs = home / "outputs.json"
        self._assembly = home / "cdk.out"
        self._own = home / "cdk"

    def has_stack(self, name: str) -> bool:
        """True if a stack exists and is not being changed."""
        try:
            answer = client("cloudformation", self._aws).describe_stacks(StackName=name)
        except ClientError as error:
            if error_code(error) != "ValidationError":
                raise
            return False
        return answer["Stacks"][0]["StackStatus"] in SETTLED

    def bootstrap(self) -> None:
        """Run `cdk bootstrap`, which prepares the account for deployments."""
        self._run("bootstrap", f"aws://{ACCOUNT}/{REGION}")

    def deploy(self, context: Mapping[str, str]) -> dict[str, str]:
        """Deploy the pipeline and its data stack, with a CDK context (`-c name=value`).

        Returns:
            The outputs of the pipeline's stack.

        Raises:
            LocalCloudError: The command failed; the message quotes its last lines.
        """
        settings = [word for pair in context.items() for word in ("-c", "=".join(pair))]
        app = f"{shlex.quote(sys.executable)} app.py"
        self._run(
            *("deploy", STACK, "--app", app, "--require-approval", "never"),
            *("--outputs-file", str(self._outputs), *settings),
        )
        outputs: dict[str, str] = json.loads(self._outputs.read_bytes())[STACK]
        return outputs

    def _run(self, *words: str) -> None:
        if not self._command.exists():
            raise LocalCloudError("the CDK command line is not installed: run `make install`")
        command = ["node", str(self._command), *words, "--output", str(self._assembly)]
        options = ["--ci", "--no-color", "--no-notices", "--progress", "events"]
        environment = local_aws(self._aws.access_key) | {
            "AWS_ENDPOINT_URL": self._aws.endpoint,
            # Only this variable makes the CDK use path-style addresses.
            "AWS_ENDPOINT_URL_S3": self._aws.endpoint,
            "CDK_HOME": str(self._own),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }
        try:
            code = self._process.run(
                [*command, *options], environment, cwd=REPOSITORY, timeout_s=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise LocalCloudError(
                f"cdk {words[0]} was killed after {TIMEOUT_S} s: see its log {self._log}"
            ) from None
        if code:
            raise LocalCloudError(
                f"cdk {words[0]} failed: see its log {self._log}\n{self._last_lines()}"
            )

    def _last_lines(self) -> str:
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line]
        return "\n".join(lines[-SHOWN_LINES:])


def enable_consumers(aws: LocalAws) -> None:
    """Enable the event source mappings again, because each stop of MiniStack disables them."""
    functions = client("lambda", aws)
    for page in functions.get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
