import json
from datetime import UTC, datetime, timedelta
from zipfile import ZipFile

import pytest

from infra.local.sample_history import export_of, write_export_zip
from infra.local.simulators.listener import Listener

START = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
END = START + timedelta(hours=2)


@pytest.fixture(scope="module")
def listener():
    return Listener(seed=1)


@pytest.fixture(scope="module")
def records(listener):
    return export_of(listener, START, END)


@pytest.fixture(scope="module")
def shown(listener):
    return [play for play in listener.plays_between(START, END) if play.shown]


def off_s(play, record):
    return (datetime.fromisoformat(record["ts"]) - play.ended_at).total_seconds()


def test_every_play_that_the_api_shows_has_its_record_within_three_seconds(shown, records):
    told = [record for record in records if record["ms_played"] > 30_000]

    offsets = [off_s(play, record) for play, record in zip(shown, told, strict=True)]

    assert max(map(abs, offsets)) <= 3
    assert len(set(map(round, offsets))) > 3


def test_a_record_tells_the_track_and_how_long_it_played(listening, clock):
    item = listening.recent().json["items"][0]
    played_at = datetime.fromisoformat(item["played_at"])
    moment = timedelta(milliseconds=1)

    told = export_of(Listener(seed=1), played_at - moment, played_at)

    assert [(r["spotify_track_uri"], r["master_metadata_track_name"]) for r in told] == [
        (item["track"]["uri"], item["track"]["name"])
    ]
    assert 30_000 < told[0]["ms_played"] < 60_000


def test_skips_are_told_too_and_too_short_to_be_taken_for_a_play(shown, records):
    skips = [record["ms_played"] for record in records if record["reason_end"] == "fwdbtn"]

    assert len(skips) == len(records) - len(shown) > 10
    assert max(skips) < 4_000


def test_records_are_in_order_of_time(records):
    assert records == sorted(records, key=lambda record: record["ts"])


def test_the_same_time_is_told_the_same_way_in_a_longer_export(listener, records):
    longer = export_of(listener, START - timedelta(hours=1), END)

    assert [record for record in records if record not in longer] == []


def test_records_are_written_as_an_export(tmp_path, records):
    path = tmp_path / "live.zip"

    write_export_zip(path, [("Streaming_History_Audio_2026_0.json", records)], written_at=END)

    with ZipFile(path) as archive:
        assert archive.testzip() is None
        written = archive.read(archive.namelist()[1]).decode()
    assert written == json.dumps(records, indent=2, ensure_ascii=False)


def test_an_export_of_nothing_is_an_empty_list(tmp_path):
    path = tmp_path / "empty.zip"

    write_export_zip(path, [("Streaming_History_Audio_2026_0.json", [])], written_at=END)

    with ZipFile(path) as archive:
        assert json.loads(archive.read(archive.namelist()[1])) == []
