"""A replay of the archived answers gives the plays, gaps and window of the polls themselves."""

import gzip
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.collector.domain.replay import open_gaps, replay
from shared.models import Gap, PollReport, iso
from shared.spotify.wire import read_recently_played
from tests.fakes.spotify import a_page, a_row
from tests.unit.collector.capture import START, Capture

POLLS = st.lists(
    st.tuples(
        st.sampled_from([1, 20, 60, 300]),  # minutes since the poll before
        st.sampled_from([0, 1, 5, 30, 50]),  # rows shown
        st.sampled_from([None, None, None, 0, 3]),  # the place of an unreadable row
    ),
    min_size=1,
    max_size=12,
)


def answers_in(objects):
    for key in sorted(objects):
        polled_at = datetime.fromisoformat(key.rpartition("/")[2].removesuffix(".json.gz"))
        yield polled_at, read_recently_played(gzip.decompress(objects[key]))


def polled(polls) -> Capture:
    """Poll a listener who plays a track each five minutes."""
    capture = Capture()
    for minutes, shown, unreadable in polls:
        capture.pass_time(minutes=minutes)
        newest = int((capture.now - START) / timedelta(minutes=5))
        ended = [START + timedelta(minutes=5 * (newest - n)) for n in range(shown)]
        rows = [a_row(iso(end), name=f"T{end:%d%H%M}") for end in ended]
        if unreadable is not None and unreadable < len(rows):
            rows[unreadable]["track"]["uri"] = "?"
        capture.spotify.pages = [a_page(*rows)]
        capture.poll()
    return capture


@given(POLLS)
def test_replaying_archived_poll_answers_gives_the_same_plays_gaps_and_known_plays(polls):
    capture = polled(polls)
    reports = [batch.report for batch in capture.batches() if batch.report]

    found = list(replay(answers_in(capture.aws.objects)))

    published = {(play.played_at, play.track_uri) for play in capture.published()}
    assert {(p.played_at, p.track_uri) for each in found for p in each.plays} == published
    assert all(isinstance(report, PollReport) for report in reports)
    assert gaps_of(each.report for each in found) == gaps_of(reports)
    if found:
        assert found[-1].window == capture.state().window
        assert found[-1].outage == capture.state().outage


def gaps_of(reports):
    return open_gaps(
        gap for report in reports for gap in (*report.closed, *([report.gap] if report.gap else []))
    )


def test_open_gaps_omits_closed_gaps_and_keeps_the_latest_end_of_each():
    gap = Gap(started_at=START, reason="a")
    ended = gap.model_copy(update={"ended_at": START + timedelta(hours=1)})
    other = Gap(started_at=START - timedelta(days=1), reason="b")
    closed = other.model_copy(update={"is_closed": True})

    assert open_gaps([gap, other, ended, closed, closed]) == [ended]


def test_a_poll_report_gives_the_time_of_the_last_archived_answer_and_the_time_covered():
    capture = polled([(20, 3, None), (20, 5, None), (1, 3, None), (20, 5, None)])

    first, second, idle, last = (batch.report for batch in capture.batches())

    assert first.is_first
    assert first.follows is None
    # The oldest of three plays, at 8:20, 8:15 and 8:10.
    assert first.covers_from == START + timedelta(minutes=10)
    assert (second.is_first, second.follows) == (False, first.polled_at)
    assert second.covers_from == START + timedelta(minutes=20)
    assert idle.follows == last.follows == second.polled_at


def test_the_first_poll_report_after_an_upgrade_names_no_earlier_archived_answer():
    capture = polled([(20, 3, None)])
    key = ("listener-state", "me")
    state = capture.aws.items[key]["state"]["S"]
    capture.aws.items[key]["state"]["S"] = state.replace('"archived_at"', '"unknown"')
    capture.aws.bodies.clear()

    capture.poll()

    (batch,) = capture.batches()
    assert (batch.report.follows, batch.report.is_first) == (None, False)
