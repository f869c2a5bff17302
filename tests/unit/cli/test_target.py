import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli.errors import CommandError
from cli.queries_function import QueriesFunction
from cli.target import Target, choose
from infra.local.pidfile import held
from infra.local.state import SUPERVISOR, LocalCloudError
from shared.errors import DatabaseAwayError
from tests.unit.cli.cloud_state import a_cloud_state

STACKS = """<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
<DescribeStacksResult><Stacks><member><StackName>SpotifyPipeline</StackName><Outputs><member>
<OutputKey>ArchiveBucket</OutputKey><OutputValue>archive</OutputValue></member></Outputs></member>
</Stacks></DescribeStacksResult></DescribeStacksResponse>"""
NO_STACK = """<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error>
<Type>Sender</Type><Code>ValidationError</Code><Message>does not exist</Message></Error>
</ErrorResponse>"""


@pytest.fixture
def cloudformation():
    """A server that answers each call with a prepared status and text."""
    answers: list[tuple[int, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            status, text = answers[0]
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield answers, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def a_local_target(aws, **changes):
    return Target("local", "SpotifyPipeline", aws, a_cloud_state(**changes))


@pytest.mark.parametrize("url", ["postgresql://report_reader:p@127.0.0.1:1/spotify", None])
def test_the_report_url_of_a_local_cloud_comes_from_its_state(aws, url):
    assert a_local_target(aws, report_url=url).report_url == url


@pytest.mark.parametrize(
    ("name", "file"), [(None, "other"), ("aws", "cloud.json")], ids=["no local cloud", "chosen"]
)
def test_aws_is_the_target_if_chosen_or_without_local_cloud(tmp_path, name, file):
    (tmp_path / file).write_text("anything")

    assert choose(name, "Mine", None, tmp_path).name == "aws"


def test_target_local_requires_a_running_local_cloud(tmp_path):
    with pytest.raises(LocalCloudError):
        choose("local", "Mine", None, tmp_path)


def test_while_a_local_cloud_starts_the_error_says_to_try_again(tmp_path):
    with held(tmp_path / SUPERVISOR), pytest.raises(LocalCloudError, match="try again"):
        choose(None, "Mine", None, tmp_path)


def test_option_database_host_is_refused_for_a_local_cloud(tmp_path):
    a_cloud_state().save(tmp_path)

    with (
        held(tmp_path / SUPERVISOR),
        pytest.raises(CommandError, match="--database-host is for AWS"),
    ):
        choose(None, "SpotifyPipeline", ("127.0.0.1", 9999), tmp_path)


def test_a_missing_stack_says_how_to_deploy_it(cloudformation, session):
    answers, endpoint = cloudformation
    answers.append((400, NO_STACK))

    with pytest.raises(CommandError, match="no stack SpotifyPipeline in the local cloud: deploy"):
        _ = a_local_target(session, aws_endpoint=endpoint).outputs


def test_the_local_cloud_ignores_the_shells_profile_and_proxies(
    cloudformation, session, monkeypatch, tmp_path
):
    answers, endpoint = cloudformation
    answers.append((200, STACKS))
    a_cloud_state(aws_endpoint=endpoint).save(tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "nosuch")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    with held(tmp_path / SUPERVISOR):
        target = choose("local", "SpotifyPipeline", None, tmp_path)

    assert target.outputs == {"ArchiveBucket": "archive"}


def test_a_frozen_local_cloud_is_noticed_within_a_minute_but_a_poll_may_take_longer(session):
    target = a_local_target(session)

    config = target.client("sqs").meta.config

    assert config.read_timeout * config.retries["total_max_attempts"] <= 60
    assert target.client("lambda").meta.config.read_timeout == 900


def test_a_missing_stack_output_says_to_deploy_this_release(target):
    with pytest.raises(CommandError, match="has no output Novelty: deploy this release"):
        target.output("Novelty")


def test_the_local_database_address_comes_from_the_state(session):
    address = a_local_target(session).address

    assert (address.host, address.port, address.database) == ("127.0.0.1", 1, "spotify")
    assert (address.username, address.password) == ("reader", "p@ss")


def test_an_unavailable_local_database_points_to_the_logs(session):
    target = a_local_target(session)

    with (
        pytest.raises(DatabaseAwayError, match="`plays logs postgres` says why"),
        target.database(),
    ):
        pass


class DatabaseTarget(Target):
    """A target that has only the outputs of its database."""

    outputs = {  # noqa: RUF012 - replaces a property
        "DatabaseReaderParameter": "/p/database/reader",
        "DatabaseHostParameter": "/p/database/host",
    }


@pytest.fixture
def known_database(aws):
    login = {"username": "reader", "password": "hidden", "dbname": "spotify", "port": 5433}
    ssm = aws.client("ssm")
    ssm.put_parameter(Name="/p/database/reader", Value=json.dumps(login), Type="SecureString")
    ssm.put_parameter(Name="/p/database/host", Value="db.example", Type="String")
    ssm.put_parameter(Name="/p/database/ca-pem", Value="PEM", Type="String")


def test_the_database_address_in_aws_comes_from_parameters(aws, known_database):
    address = DatabaseTarget("aws", "SpotifyPipeline", aws).address

    assert (address.host, address.port, address.database) == ("db.example", 5433, "spotify")
    assert (address.username, address.password) == ("reader", "hidden")
    assert (address.ca_pem, address.via) == ("PEM", None)


def test_a_forwarded_port_keeps_the_host_for_tls_verification(aws, known_database):
    target = DatabaseTarget("aws", "SpotifyPipeline", aws, via=("127.0.0.1", 9999))

    assert (target.address.host, target.address.via) == ("db.example", ("127.0.0.1", 9999))
    assert target.database_url == "postgresql://reader@127.0.0.1:9999/spotify"


def test_the_url_of_a_database_in_aws_has_no_password(aws, known_database):
    target = DatabaseTarget("aws", "SpotifyPipeline", aws)

    assert target.database_url == "postgresql://reader@db.example:5433/spotify"
    assert target.report_url == "postgresql://report_reader@db.example:5433/spotify"


def test_the_database_in_aws_is_read_by_the_queries_function(target, monkeypatch):
    monkeypatch.setitem(target.outputs, "QueriesFunction", "queries")

    with Target.database(target) as database:
        assert isinstance(database, QueriesFunction)


def test_a_stack_without_the_queries_function_says_how_to_deploy(target):
    with (
        pytest.raises(CommandError, match="has no output QueriesFunction: deploy this release"),
        Target.database(target),
    ):
        pass


def test_an_error_names_an_unreachable_forwarded_port(aws, known_database):
    target = DatabaseTarget("aws", "SpotifyPipeline", aws, via=("127.0.0.1", 1))
    aws.client("ssm").put_parameter(Name="/p/database/ca-pem", Value=" ", Overwrite=True)

    with (
        pytest.raises(DatabaseAwayError, match="the port of --database-host is still forwarded"),
        target.database(),
    ):
        pass


def test_an_error_does_not_quote_a_malformed_database_login(aws, known_database):
    aws.client("ssm").put_parameter(
        Name="/p/database/reader", Value='{"password": "hidden"}', Overwrite=True
    )

    with pytest.raises(
        CommandError, match="parameter /p/database/reader holds no database login"
    ) as raised:
        _ = DatabaseTarget("aws", "SpotifyPipeline", aws).address

    assert "hidden" not in str(raised.value)
    assert raised.value.__cause__ is None
