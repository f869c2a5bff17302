import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from cli import listener_removal
from cli.commands.derive import STEP_S
from infra.local import cloud
from infra.local.state import LocalCloudError
from tests.unit.cli.cloud_state import a_cloud_state
from tests.unit.cli.conftest import LISTENER_SECRETS, LISTENER_STATES, InvokedTarget, KnownTarget

pytestmark = pytest.mark.usefixtures("listeners")


class Derive(InvokedTarget):
    """The function `derive` of a deployment with these listeners."""

    def __init__(self, deployed, *answers):
        super().__init__("DeriveFunction", *answers or ({"months_left": 0},))
        self._names = deployed

    def get_function_configuration(self, FunctionName):
        return {"Environment": {"Variables": {"LISTENERS": ",".join(self._names)}}}


class HoldingTarget(KnownTarget):
    """A target whose Postgres holds plays and gaps of a listener."""

    function: Derive

    @contextmanager
    def database(self):
        yield SimpleNamespace(run=lambda _statement, listener: [(1_234, 2)])

    def call(self, name, event):
        return self.function.call(name, event)

    def client(self, service):
        return self.function if service == "lambda" else super().client(service)

    def output(self, key):
        return key if key == "DeriveFunction" else super().output(key)


@pytest.fixture
def target(target):
    return HoldingTarget(target.name, target.stack, target.session)


@pytest.fixture
def deployed(target):
    """Deploy listeners; return the events that the function gets."""

    def deploy(*names, answers=()):
        object.__setattr__(target, "function", Derive(names, *answers))
        return target.function.events

    return deploy


@pytest.fixture
def holdings(target):
    """Store files, a state and a login of anna, and of others; return the keys that are left."""
    s3 = target.client("s3")
    for key in (
        "history/anna/a.zip",
        "history/anna/a.zip",
        "polls/anna/2026/07/01/x.json.gz",
        "quarantine/anna/x.jsonl",
        "dead-letters/anna/enriched-plays/2026/07/01/x.json",
        "history/annabel/a.zip",
        "history/a.zip",
        "polls/me/2026/07/01/x.json.gz",
    ):
        s3.put_object(Bucket="archive", Key=key, Body=b"content")
    s3.delete_object(Bucket="archive", Key="history/anna/a.zip")
    for name in ("anna", "me"):
        item = {"listener": {"S": name}, "state": {"S": "{}"}}
        target.client("dynamodb").put_item(TableName=LISTENER_STATES, Item=item)

    def left():
        found = s3.list_object_versions(Bucket="archive")
        return [each["Key"] for each in [*found["Versions"], *found.get("DeleteMarkers", [])]]

    return left


def stored_about(target):
    secrets = target.client("secretsmanager").list_secrets()["SecretList"]
    states = target.client("dynamodb").scan(TableName=LISTENER_STATES)["Items"]
    return (
        sorted(secret["Name"].removeprefix(LISTENER_SECRETS) for secret in secrets),
        sorted(item["listener"]["S"] for item in states),
    )


def test_a_removal_deletes_all_that_is_stored_of_a_listener(plays, target, deployed, holdings):
    events = deployed("me")

    result = plays("listener", "remove", "anna", "--yes", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "listener": "anna",
        "plays": 1_234,
        "gaps": 2,
        "uploads": 2,
        "answers": 1,
    }
    assert events == [{"remove": "anna", "seconds": STEP_S}]
    assert holdings() == ["history/a.zip", "history/annabel/a.zip", "polls/me/2026/07/01/x.json.gz"]
    assert stored_about(target) == (["me"], ["me"])


def test_removing_me_deletes_uploads_that_are_in_no_listeners_folder(plays, deployed, holdings):
    deployed("anna")

    assert plays("listener", "remove", "me", "--yes").exit_code == 0

    assert not {"history/a.zip", "polls/me/2026/07/01/x.json.gz"} & {*holdings()}
    assert "history/annabel/a.zip" in holdings()


@pytest.mark.parametrize("typed", ["y", "Anna", ""])
def test_a_removal_shows_its_consequences_and_needs_the_typed_name(
    plays, deployed, holdings, at_terminal, typed
):
    events = deployed("me")
    at_terminal(typed)

    result = plays("listener", "remove", "anna")

    assert result.exit_code == 1
    assert (
        "this deletes all that is stored of anna (plays: 1,234, uploads: 2, poll answers: 1, gaps: "
        "2), the login and the state of the polls." in result.stderr
    )
    assert result.stderr.endswith("plays: cancelled; nothing was changed\n")
    assert events == []
    assert "history/anna/a.zip" in holdings()


def test_typing_the_listeners_name_confirms_a_removal(plays, deployed, at_terminal):
    deployed("me")
    at_terminal("anna")

    result = plays("listener", "remove", "anna")

    assert result.stdout == "all that was stored of anna is deleted\n"


def test_without_a_terminal_a_removal_requires_option_yes(plays, deployed):
    events = deployed("me")

    result = plays("listener", "remove", "anna")

    assert (result.exit_code, events) == (1, [])
    assert "pass --yes to agree" in result.stderr


def test_on_aws_a_removal_asks_to_change_the_deployment_first(plays, deployed):
    events = deployed("me", "anna")

    result = plays("listener", "remove", "anna", "--yes")

    assert (result.exit_code, events) == (1, [])
    assert result.stderr == (
        'plays: on AWS listeners are part of the deployment: set `listeners` in cdk.json to ["me"],'
        " run `make deploy`, then `plays listener remove anna` again\n"
    )


def test_on_aws_adding_a_listener_says_what_to_change_and_run(plays, deployed):
    deployed("me")

    result = plays("listener", "add", "ben")

    assert result.exit_code == 1
    assert result.stderr == (
        "plays: on AWS listeners are part of the deployment: set `listeners` in cdk.json to "
        '["me", "ben"], run `make deploy`, then `plays login --listener ben`\n'
    )


def test_a_deployed_listener_cannot_be_added_again(plays, deployed):
    deployed("me", "anna")

    result = plays("listener", "add", "anna")

    assert result.exit_code == 1
    assert "anna is a listener already" in result.stderr


def test_the_only_listener_cannot_be_removed(plays, deployed):
    deployed("me")

    result = plays("listener", "remove", "me", "--yes")

    assert result.exit_code == 1
    assert "me is the only listener: `plays listener add` another one first" in result.stderr


def test_a_removal_deletes_nothing_while_queues_hold_messages(
    plays, target, deployed, holdings, monkeypatch
):
    events = deployed("me")
    monkeypatch.setattr(listener_removal, "DRAIN_S", 0)
    monkeypatch.setattr(listener_removal, "PAUSE_S", 0)
    url = target.output("CollectedPlaysQueueUrl")
    target.client("sqs").send_message(QueueUrl=url, MessageBody="{}")

    result = plays("listener", "remove", "anna", "--yes")

    assert (result.exit_code, events) == (1, [])
    assert "messages in the queues may hold plays of the listener: wait until" in result.stderr
    assert "history/anna/a.zip" in holdings()


def test_a_removal_deletes_nothing_while_there_are_dead_letters(plays, target, deployed, holdings):
    events = deployed("me")
    url = target.output("CollectedPlaysDlqUrl")
    target.client("sqs").send_message(QueueUrl=url, MessageBody="{}")

    result = plays("listener", "remove", "anna", "--yes")

    assert (result.exit_code, events) == (1, [])
    assert "replay them first, with `plays dlq replay collected-plays`" in result.stderr
    assert "history/anna/a.zip" in holdings()


AGAIN = "of anna may still be stored: `plays listener remove anna` again deletes what is left\n"


@pytest.mark.parametrize(
    ("answer", "code", "why"),
    [
        ({"months_left": None, "error": "Postgres is away"}, 1, "Postgres is away; "),
        (KeyboardInterrupt(), 130, "stopped: "),
    ],
    ids=["Postgres away", "Ctrl-C"],
)
def test_a_removal_that_stops_says_what_is_left(plays, deployed, answer, code, why):
    deployed("me", answers=[answer])

    stopped = plays("listener", "remove", "anna", "--yes")

    assert stopped.exit_code == code
    assert stopped.stderr.endswith(f"plays: {why}the plays and the files and the login {AGAIN}")


def test_a_second_removal_finishes_one_that_stopped(plays, target, deployed, holdings):
    deployed("me", answers=[KeyboardInterrupt()])
    plays("listener", "remove", "anna", "--yes")
    deployed("me")

    assert plays("listener", "remove", "anna", "--yes").exit_code == 0

    assert stored_about(target) == (["me"], ["me"])
    assert "history/anna/a.zip" not in holdings()


def test_a_removal_that_stops_names_only_what_is_left(plays, target, deployed, holdings):
    def refuse(**_):
        raise EndpointConnectionError(endpoint_url="https://s3.example")

    deployed("me")
    target.session.events.register("before-call.s3.DeleteObjects", refuse)

    result = plays("listener", "remove", "anna", "--yes")

    assert result.exit_code == 1
    assert result.stderr.endswith(f"; the files and the login {AGAIN}")


def test_a_removal_deletes_nothing_if_the_local_cloud_fails_to_restart(
    plays, target, deployed, home, monkeypatch
):
    def fail(_home, _listeners):
        raise LocalCloudError("it ended")

    monkeypatch.setattr(cloud, "change_listeners", fail)
    object.__setattr__(target, "state", a_cloud_state())
    events = deployed("me", "anna")

    result = plays("listener", "remove", "anna", "--yes")

    assert (result.exit_code, events) == (1, [])
    assert result.stderr.endswith(f"plays: it ended; everything {AGAIN}")


def test_a_removed_listener_cannot_be_deployed_again_on_aws(plays, deployed):
    deployed("me")

    result = plays("listener", "add", "anna")

    assert result.exit_code == 1
    assert "a deployment cannot create it again" in result.stderr
    assert "`plays listener remove anna`" in result.stderr


def test_a_removal_notices_a_message_that_moves_between_two_queues(
    plays, target, deployed, monkeypatch
):
    events = deployed("me")
    url = target.output("CollectedPlaysQueueUrl")
    sqs = target.client("sqs")
    # It leaves one queue after the first check, and is in the next one at the second.
    pauses = iter([lambda: sqs.send_message(QueueUrl=url, MessageBody="{}")])
    monkeypatch.setattr("cli.listener_removal.time.sleep", lambda _: next(pauses, lambda: None)())
    monkeypatch.setattr(listener_removal, "DRAIN_S", 0.2)

    result = plays("listener", "remove", "anna", "--yes")

    assert (result.exit_code, events) == (1, [])
