from datetime import UTC, datetime, timedelta

import pytest

from services.collector.domain.poll_batches import poll_batches
from shared.models import BATCH_BYTES, PLAYS_PER_BATCH, Play, PollReport

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
REPORT = PollReport(polled_at=NOW, returned=0, new=0, late=0, moved=0)


def some_plays(count: int, name: str = "Boats") -> list[Play]:
    return [
        Play(
            track_uri="spotify:track:Boats",
            track_name=name,
            artist_name=name,
            played_at=NOW + timedelta(minutes=minute),
        )
        for minute in range(count)
    ]


def test_no_plays_make_one_batch_with_the_report():
    (batch,) = poll_batches("me", "polls/me/1", [], REPORT)

    assert (batch.origin, batch.number, batch.plays, batch.report) == (
        "polls/me/1",
        0,
        (),
        REPORT,
    )


@pytest.mark.parametrize(
    ("plays", "batches"),
    [
        pytest.param(some_plays(50), 1, id="a full answer"),
        pytest.param(some_plays(PLAYS_PER_BATCH + 1), 2, id="too many"),
        pytest.param(some_plays(50, "長" * 2_000), 4, id="too long"),
    ],
)
def test_plays_are_cut_into_messages_and_the_last_one_reports(plays, batches):
    made = poll_batches("me", "polls/me/1", plays, REPORT)

    assert len(made) == batches
    assert [play for batch in made for play in batch.plays] == plays
    assert [batch.number for batch in made] == list(range(batches))
    assert [batch.report for batch in made] == [None] * (batches - 1) + [REPORT]
    assert max(len(batch.model_dump_json().encode()) for batch in made) <= BATCH_BYTES
