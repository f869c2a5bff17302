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


def read(messages):
    return list(map(PlayBatch.model_validate_json, messages))


def lengths(batches):
    return [play.ms_played for batch in batches for play in batch.plays]


def test_a_published_message_is_a_valid_play_batch():
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


def test_plays_given_as_export_rows_or_play_objects_give_the_same_batches():
    rows = plays(a_row(platform=None, skipped=""))

    messages = publish(rows), publish([Play.model_validate(row) for row in rows])

    from_rows, from_plays = map(PlayBatch.model_validate_json, chain(*messages))
    assert from_rows == from_plays


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, [0]), (1, [1]), (PLAYS_PER_BATCH, [500, 0]), (1_234, [500, 500, 234])],
)
def test_plays_are_split_in_order_into_batches_of_500_and_the_last_has_the_report(count, sizes):
    batches = read(publish(plays(*(a_row(ms_played=ms) for ms in range(count)))))

    assert [len(batch.plays) for batch in batches] == sizes
    assert lengths(batches) == list(range(count))
    assert [batch.number for batch in batches] == list(range(len(sizes)))
    assert [batch.report for batch in batches[:-1]] == [None] * (len(sizes) - 1)
    assert batches[-1].report.batches == len(sizes)


def test_batches_do_not_depend_on_the_chunks_in_which_plays_arrive():
    rows = plays(*(a_row(ms_played=ms) for ms in range(1_100)))

    at_once, in_portions = publish(rows), publish(rows[:1], rows[1:700], [], rows[700:])

    assert at_once == in_portions


@pytest.mark.parametrize("letter", ["x", "素", "𝄞", "\x01", '"'])
def test_batches_of_long_texts_stay_below_the_message_size_limit(letter):
    long = letter * 2_000
    names = [name for name, value in a_row().items() if isinstance(value, str)]
    texts = dict.fromkeys(set(names) - {"ts", "spotify_track_uri"}, long)
    rows = plays(*(a_row(ms_played=ms, **texts) for ms in range(501)))

    messages = publish(rows)

    assert max(map(len, messages)) <= BATCH_BYTES
    batches = read(messages)
    assert lengths(batches) == list(range(501))
    assert [batch.number for batch in batches] == list(range(len(batches)))


def test_a_report_too_long_for_the_last_batch_gets_its_own_message():
    problem = FileProblem(file="f" * 500, reason="r" * 500)
    report = REPORT.model_copy(update={"problems": (problem,) * 200})

    plays_alone, report_alone = read(publish(plays(a_row()) * 400, report=report))

    assert (len(plays_alone.plays), plays_alone.report) == (400, None)
    assert (len(report_alone.plays), report_alone.report.batches) == (0, 2)
