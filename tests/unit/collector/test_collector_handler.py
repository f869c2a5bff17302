import pytest

from services.collector.handler import CollectorSettings, handler, wire
from shared.errors import MessageError, SettingsError
from tests.unit.collector.conftest import a_context


@pytest.mark.parametrize(
    "event",
    [{}, {"listener": None}, {"listener": "Not A Name"}, {"listener": "../me"}],
    ids=["no listener", "null", "spaces", "path"],
)
def test_an_event_that_names_no_listener_is_refused(event):
    with pytest.warns(UserWarning, match="No application metrics"), pytest.raises(MessageError):
        handler(event, a_context())


def test_the_collector_reads_its_settings():
    assert {name.upper() for name in CollectorSettings.model_fields} == {
        "LISTENER_SECRET_PREFIX",
        "LISTENER_STATE_TABLE",
        "SPOTIFY_APP_TABLE",
        "ARCHIVE_BUCKET",
        "COLLECTED_PLAYS_QUEUE_URL",
        "SPOTIFY_API_URL",
        "SPOTIFY_ACCOUNTS_URL",
    }


def test_a_missing_variable_is_named(environment, monkeypatch):
    monkeypatch.delenv("ARCHIVE_BUCKET")
    wire.cache_clear()

    with pytest.raises(SettingsError, match="ARCHIVE_BUCKET"):
        wire()


def test_wire_runs_once_per_container(environment):
    wire.cache_clear()

    assert wire() is wire()


def test_the_answer_of_a_poll_is_plain_json(pipeline):
    outcome = pipeline.poll()

    assert set(map(type, outcome.values())) <= {str, int, bool}
