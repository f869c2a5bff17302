"""The cloud that a command works on: the local one, or a stack in AWS.

Both offer the same: boto3 clients, the outputs of the stack, and Postgres as role reader. The local
Postgres is read directly; the one in AWS through the function `queries` or a forwarded port.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cli import aws
from cli.errors import CommandError
from cli.queries_function import QueriesFunction
from infra.local.aws import LOCAL, session
from infra.local.pidfile import holder
from infra.local.state import FILE, SUPERVISOR, CloudState
from shared.aws import error_code
from shared.errors import DatabaseAwayError
from shared.postgres import Address, Database
from shared.queries import Reader

TargetName = Literal["local", "aws"]

CLIENT = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard"})
INVOKE = Config(read_timeout=900)
"""A poll waits for the end of its function, which may run for 15 minutes."""
ONCE = Config(retries={"total_max_attempts": 1})
"""A local cloud that does not answer within a minute is frozen: a second attempt would not help."""


@dataclass(frozen=True)
class Target:
    """One deployed pipeline.

    `state` describes the running local cloud; it is None in AWS. `via` is the host and port of a
    forwarded port that leads to Postgres in AWS; TLS still requires a certificate for the host name
    of Postgres, not for the host in `via`.
    """

    name: TargetName
    stack: str
    session: boto3.Session = field(repr=False)
    state: CloudState | None = field(default=None, repr=False)
    via: tuple[str, int] | None = None

    def client(self, service: str) -> Any:
        """Return a client of an AWS service."""
        endpoint, config = None, CLIENT
        if self.state:
            endpoint, config = self.state.aws_endpoint, LOCAL.merge(CLIENT).merge(ONCE)
        if service == "lambda":
            config = config.merge(INVOKE)
        return self.session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]  # a service by its name

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of the stack by name.

        Raises:
            CommandError: There is no such stack.
        """
        try:
            answer = self.client("cloudformation").describe_stacks(StackName=self.stack)
        except ClientError as error:
            if error_code(error) != "ValidationError":
                raise
            raise CommandError(
                f"there is no stack {self.stack} {self._where}: deploy it with "
                f"`{'make run' if self.state else 'make deploy'}`, or name another with --stack"
            ) from error
        outputs = answer["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def output(self, key: str) -> str:
        """Return one output of the stack.

        Raises:
            CommandError: The stack has no such output, because another release deployed it.
        """
        if key not in self.outputs:
            raise CommandError(
                f"stack {self.stack} has no output {key}: deploy this release with "
                f"`{'make run' if self.state else 'make deploy'}`"
            )
        return self.outputs[key]

    @property
    def deployment(self) -> str:
        """The name of the deployment, with which the names of its queues and secrets begin."""
        return self.output("ListenerSecretPrefix").split("/")[0]

    def call(self, name: str, event: dict[str, Any]) -> bytes:
        """Invoke a function of the stack and return its answer, which is JSON.

        Args:
            name: The stack's output without the suffix `Function`, such as `Healer`.
            event: The event to invoke it with.

        Raises:
            CommandError: The function failed; the message quotes its error.
        """
        answer = self.client("lambda").invoke(
            FunctionName=self.output(f"{name}Function"), Payload=json.dumps(event).encode()
        )
        payload: bytes = answer["Payload"].read()
        if "FunctionError" in answer:
            message = json.loads(payload)["errorMessage"]
            raise CommandError(f"the function {name.lower()} failed: {message}")
        return payload

    @cached_property
    def address(self) -> Address:
        """The host of Postgres, and the login of role reader."""
        return self._local_address(self.state) if self.state else self._aws_address()

    @property
    def database_url(self) -> str:
        """The URL of Postgres for role reader; only a local cloud's URL contains the password."""
        return self.state.database_url if self.state else self._url(self.address.username)

    @property
    def report_url(self) -> str | None:
        """The URL of Postgres for role report_reader; only a local cloud's has the password.

        None if an earlier release started the local cloud.
        """
        return self.state.report_url if self.state else self._url("report_reader")

    @contextmanager
    def database(self) -> Iterator[Reader]:
        """Read Postgres as role reader, by a connection or by the function `queries`.

        Raises:
            CommandError: The stack has no such function, because another release deployed it.
            DatabaseAwayError: Postgres does not answer, or refuses the login.
        """
        if self.state or self.via:
            with closing(self._connect()) as database:
                yield database
        else:
            yield QueriesFunction(self.client("lambda"), self.output("QueriesFunction"))

    def _url(self, role: str) -> str:
        host, port = self.via or (self.address.host, self.address.port)
        return f"postgresql://{role}@{host}:{port}/{self.address.database}"

    def _connect(self) -> Database:
        try:
            return Database.connect(self.address)
        except DatabaseAwayError as error:
            advice = (
                "`plays logs postgres` says why"
                if self.state
                else "check that the port of --database-host is still forwarded"
            )
            raise DatabaseAwayError(f"{error}; {advice}") from error

    @property
    def _where(self) -> str:
        if self.state:
            return "in the local cloud"
        return f"in {self.session.region_name or 'AWS'}"

    @staticmethod
    def _local_address(state: CloudState) -> Address:
        url = urlsplit(state.database_url)
        return Address(
            host=str(url.hostname),
            port=int(url.port or 5432),
            database=url.path.removeprefix("/"),
            username=unquote(str(url.username)),
            password=unquote(str(url.password)),
        )

    def _aws_address(self) -> Address:
        name = self.output("DatabaseReaderParameter")
        host_parameter = self.output("DatabaseHostParameter")
        try:
            return Address.of_login(
                self._parameter(name),
                host=self._parameter(host_parameter),
                # The CA is next to the host: /<deployment>/database/{host,ca-pem}.
                ca_pem=self._parameter(host_parameter.removesuffix("host") + "ca-pem"),
                via=self.via,
            )
        except ValueError as error:
            raise CommandError(
                f"parameter {name} holds no database login: {error}; publish it again (see "
                "'Passwords of the database' in docs/operate.md)"
            ) from None

    def _parameter(self, name: str) -> str:
        answer = self.client("ssm").get_parameter(Name=name, WithDecryption=True)
        value: str = answer["Parameter"]["Value"]
        return value


def choose(name: TargetName | None, stack: str, via: tuple[str, int] | None, home: Path) -> Target:
    """Return the target: by default the local cloud if it is running or starting, else AWS.

    Args:
        name: The target that the person chose; None for the default.
        stack: Name of the CloudFormation stack.
        via: Host and port of a forwarded port to Postgres in AWS.
        home: Folder of the local cloud.

    Raises:
        CommandError: `via` is given for a local cloud, which needs none.
        LocalCloudError: The local cloud is chosen, but none is running, or it is not ready.
    """
    is_local = (home / FILE).exists() or holder(home / SUPERVISOR) is not None
    if name == "aws" or (name is None and not is_local):
        return Target("aws", stack, aws.session(), via=via)
    state = CloudState.load(home)
    if via:
        raise CommandError(
            "--database-host is for AWS, but the target is the local cloud: add --target aws"
        )
    return Target("local", stack, session(state.access_key), state)
