"""The cloud that a command works on: the local one, or a stack in AWS.

Both are reached alike: boto3 clients, the outputs of the stack, and Postgres as role reader: the
local one directly, the one in AWS by the function `queries`, unless a forwarded port is named.
"""

from collections.abc import Iterator
from contextlib import contextmanager
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
from cli.remote import QueriesFunction
from infra.local.aws import LOCAL, session
from infra.local.state import FILE, CloudState
from shared.errors import DatabaseAwayError
from shared.postgres import Address, Database
from shared.queries import Reader

TargetName = Literal["local", "aws"]

# A poll is invoked synchronously, and a function may live for 15 minutes.
CLIENT = Config(connect_timeout=5, read_timeout=900, retries={"mode": "standard"})


@dataclass(frozen=True)
class Target:
    """One deployed pipeline.

    `state` is the local cloud's, None in AWS. `via` is a host and port that lead to Postgres in AWS
    (a forwarded port), to connect to it directly; its certificate must still name its own host.
    """

    name: TargetName
    stack: str
    session: boto3.Session = field(repr=False)
    state: CloudState | None = field(default=None, repr=False)
    via: tuple[str, int] | None = None

    def client(self, service: str) -> Any:
        """Make a client of an AWS service."""
        endpoint, config = None, CLIENT
        if self.state:
            endpoint, config = self.state.aws_endpoint, LOCAL.merge(CLIENT)
        return self.session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]  # a service by its name

    @cached_property
    def outputs(self) -> dict[str, str]:
        """What the stack tells about itself, by name.

        Raises:
            CommandError: There is no such stack.
        """
        try:
            answer = self.client("cloudformation").describe_stacks(StackName=self.stack)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise CommandError(
                f"there is no stack {self.stack} {self._place}: deploy it with "
                f"`{'make run' if self.state else 'make deploy'}`, or name another with --stack"
            ) from error
        outputs = answer["Stacks"][0].get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def output(self, key: str) -> str:
        """Give one output of the stack.

        Raises:
            CommandError: The stack has no such output: another release deployed it.
        """
        if key not in self.outputs:
            raise CommandError(
                f"stack {self.stack} has no output {key}: deploy this release with "
                f"`{'make run' if self.state else 'make deploy'}`"
            )
        return self.outputs[key]

    @cached_property
    def address(self) -> Address:
        """Where Postgres is, and who we are there."""
        return self._local_address(self.state) if self.state else self._aws_address()

    @property
    def database_url(self) -> str:
        """The address of Postgres as a URL; the password stands in it for the local cloud only."""
        return self.state.database_url if self.state else self._url(self.address.username)

    @property
    def report_url(self) -> str | None:
        """The address of Postgres as role report_reader, with a password as `database_url` has.

        None if an earlier release started the local cloud.
        """
        return self.state.report_url if self.state else self._url("report_reader")

    @contextmanager
    def database(self) -> Iterator[Reader]:
        """Reach Postgres as role reader: by a connection, or by the function `queries`.

        Raises:
            CommandError: The stack has no such function: another release deployed it.
            DatabaseAwayError: It does not answer, or refuses us.
        """
        if self.state or self.via:
            with self._connection() as database:
                yield database
        else:
            yield QueriesFunction(self.client("lambda"), self.output("QueriesFunction"))

    def _url(self, role: str) -> str:
        host, port = self.via or (self.address.host, self.address.port)
        return f"postgresql://{role}@{host}:{port}/{self.address.database}"

    @contextmanager
    def _connection(self) -> Iterator[Database]:
        try:
            database = Database.connect(self.address)
        except DatabaseAwayError as error:
            raise DatabaseAwayError(f"{error}; {self._where_to_look}") from error
        try:
            yield database
        finally:
            database.close()

    @property
    def _where_to_look(self) -> str:
        if self.state:
            return f"the local cloud's logs are in {self.state.log_dir}"
        return "is the port of --database-host and --database-port still forwarded?"

    @property
    def _place(self) -> str:
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
                # The CA lies beside the host: /<deployment>/database/{host,ca-pem}.
                ca_pem=self._parameter(host_parameter.removesuffix("host") + "ca-pem"),
                via=self.via,
            )
        except ValueError as error:
            raise CommandError(f"parameter {name} {error}") from None

    def _parameter(self, name: str) -> str:
        answer = self.client("ssm").get_parameter(Name=name, WithDecryption=True)
        value: str = answer["Parameter"]["Value"]
        return value


def choose(name: TargetName | None, stack: str, via: tuple[str, int] | None, home: Path) -> Target:
    """Find the target: the local cloud where there is one, else AWS.

    Args:
        name: None to choose by what there is.
        stack: Name of the CloudFormation stack.
        via: Host and port that lead to Postgres in AWS.
        home: Folder of the local cloud.

    Raises:
        CommandError: `via` is given for a local cloud, which has its own way to Postgres.
        LocalCloudError: The local cloud is asked for, and none is running.
    """
    if name == "aws" or (name is None and not (home / FILE).exists()):
        return Target("aws", stack, aws.session(), via=via)
    state = CloudState.load(home)
    if via:
        raise CommandError(
            "--database-host is for AWS, and this is a local cloud: pass --target aws with it"
        )
    return Target("local", stack, session(state.access_key), state)
