from itertools import chain

import pytest

from services.collector.backfill.domain.rows import parse_rows
from services.collector.domain.batches import Batches
from shared.models import BATCH_BYTES, PLAYS_PER_BATCH, FileProblem, Play, PlayBatch, UploadReport
from tests.unit.collector.backfill.history_examples import UPLOADED_AT, a_file, a_row

REPORT = UploadReport(rows_in=0, published=0, batches=0)
ORIGIN = "history/me/my_spotify_data.zip?versionId=3"


def plays(*rows):
    return parse_rows(a_file(*rows)[1:-1], UPLOADED_AT)


def publish(*portions, report=REPORT):
    """Return the messages of plays that are added in portions."""
    messages: list[str] = []
    batches = Batches(messages.append, "me", "extended-history", ORIGIN)
    for portion in portions:
        batches.add(portion)
    batches.finish(lambda count: report.model_copy(update={"batches": count}))
    return messages


def lengths(message):
    return [play.ms_played for play in PlayBatch.model_validate_json(message).plays]


def test_a_message_is_a_play_batch():
    (message,) = publish(plays(a_row(album=None)))

    assert PlayBatch.model_validate_json(message) == PlayBatch(
        listener="me",
        source="extended-history",
        origin=ORIGIN,
        number=0,
        plays=(
            Play(
                track_uri="spotify:track:1AAAAAAAAAAAAAAAAAAAAA",
                track_name="Paper Boats",
                artist_name="The Example",
                album_name="Harbour",
                played_at="2026-05-02T18:31:37Z",
                ms_played=174424,
                platform="android",
                country="DE",
                reason_start="fwdbtn",
                reason_end="trackdone",
                shuffle=True,
                skipped=False,
                offline=True,
                incognito=False,
            ),
        ),
        report=UploadReport(rows_in=0, published=0, batches=1),
    )


def test_plays_of_a_poll_and_plays_of_an_export_make_equal_messages():
    rows = plays(a_row(platform=None, skipped=""))

    messages = publish(rows), publish([Play.model_validate(row) for row in rows])

    from_rows, from_plays = map(PlayBatch.model_validate_json, chain(*messages))
    assert from_rows == from_plays


def test_batches_are_full_and_in_order():
    rows = plays(*(a_row(ms_played=ms) for ms in range(1_234)))

    messages = publish(rows)

    assert [len(lengths(message)) for message in messages] == [500, 500, 234]
    assert [*chain.from_iterable(map(lengths, messages))] == list(range(1_234))


def test_batches_are_numbered_from_0_and_only_the_last_reports():
    batches = [
        PlayBatch.model_validate_json(message) for message in publish(plays(a_row()) * 1_001)
    ]

    assert [batch.number for batch in batches] == [0, 1, 2]
    assert [batch.report for batch in batches[:2]] == [None, None]
    assert batches[2].report.batches == 3


def test_batches_do_not_depend_on_the_portions():
    rows = plays(*(a_row(ms_played=ms) for ms in range(1_100)))

    at_once, in_portions = publish(rows), publish(rows[:1], rows[1:700], [], rows[700:])

    assert at_once == in_portions


def test_an_upload_without_plays_is_reported():
    (message,) = publish()

    batch = PlayBatch.model_validate_json(message)
    assert batch.plays == ()
    assert batch.report.batches == 1


def test_full_batches_are_followed_by_a_report_without_plays():
    messages = publish(plays(a_row()) * PLAYS_PER_BATCH)

    assert [len(lengths(message)) for message in messages] == [500, 0]
    assert PlayBatch.model_validate_json(messages[1]).report.batches == 2


@pytest.mark.parametrize("letter", ["x", "素", "𝄞", "\x01", '"'])
def test_no_message_is_too_long_and_no_play_is_lost(letter):
    long = letter * 2_000
    texts = {
        "master_metadata_track_name": long,
        "master_metadata_album_artist_name": long,
        "master_metadata_album_album_name": long,
        "platform": long,
        "conn_country": long,
        "reason_start": long,
        "reason_end": long,
    }
    rows = plays(*(a_row(ms_played=ms, **texts) for ms in range(501)))

    messages = publish(rows)

    assert max(map(len, messages)) <= BATCH_BYTES
    assert [*chain.from_iterable(map(lengths, messages))] == list(range(501))
    numbers = [PlayBatch.model_validate_json(message).number for message in messages]
    assert numbers == list(range(len(messages)))


def test_a_long_report_gets_its_own_message():
    problem = FileProblem(file="f" * 500, reason="r" * 500)
    report = REPORT.model_copy(update={"problems": (problem,) * 200})

    messages = publish(plays(a_row(ms_played=7)) * 400, report=report)

    assert [len(lengths(message)) for message in messages] == [400, 0]
    assert PlayBatch.model_validate_json(messages[1]).report.batches == 2
    assert PlayBatch.model_validate_json(messages[1]).number == 1
