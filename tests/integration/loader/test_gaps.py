"""Gaps: reports in any order, and uploads that prove that no play is missing."""

from datetime import datetime, timedelta
from itertools import permutations
from operator import add

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.loader.store import Store
from shared.models import Gap, OutageReport, PollReport, Span, UploadReport
from tests.unit.loader.loader_examples import EXPORT, NOON, a_batch, plays_apart

UPLOAD = 'history/me/my data, "all" \\ of it.zip?versionId=1'
STORED = "SELECT listener, started_at, ended_at, reason, origin, closed_by FROM gap ORDER BY 1, 2"
IS_CLOSED = "SELECT closed_at IS NOT NULL FROM gap ORDER BY started_at"


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def a_gap(start: float = 0, end: float | None = None, reason: str = "no answer", **fields) -> Gap:
    ended_at = None if end is None else at(end)
    return Gap(started_at=at(start), ended_at=ended_at, reason=reason, **fields)


def outage(start: float = 0, origin: str = "outages/me/0", **fields):
    return a_batch(origin=origin, report=OutageReport(gap=a_gap(start)), **fields)


def polled(gap: Gap, origin: str = "polls/me/1", **fields):
    report = PollReport(polled_at=NOON, returned=50, new=0, late=0, moved=0, gap=gap)
    return a_batch(origin=origin, report=report, **fields)


def span(start: float, end: float) -> Span:
    return Span(started_at=at(start), ended_at=at(end))


def upload(*spans: Span, batches: int = 1, origin: str = UPLOAD, **fields):
    """The last batch of an upload."""
    report = UploadReport(rows_in=0, published=0, batches=batches, spans=spans)
    return a_batch(source=EXPORT, origin=origin, number=batches - 1, report=report, **fields)


@pytest.fixture
def load(database):
    """Load batches one after the other, as a warm function does."""
    store = Store(database)

    def each(*batches):
        for batch in batches:
            store.load([batch])

    return each


@pytest.fixture
def is_closed(rows):
    """Return, for each gap, whether it is closed."""
    return lambda: [closed for (closed,) in rows(IS_CLOSED)]


def test_an_outage_report_opens_a_gap_and_stores_no_poll(load, rows):
    load(outage())

    assert rows(STORED) == [["me", NOON, None, "no answer", "outages/me/0", None]]
    assert rows("SELECT opened_at > now() - interval '1 hour', closed_at FROM gap") == [
        [True, None]
    ]
    assert rows("TABLE poll") == []
    assert rows("SELECT origin, plays FROM loaded_batch") == [["outages/me/0", 0]]


def test_a_poll_stores_the_end_of_a_gap_opened_by_an_outage(load, rows):
    load(outage(), polled(a_gap(end=2, reason="a full page, after no answer")))

    assert rows(STORED) == [["me", NOON, at(2), "a full page, after no answer", "polls/me/1", None]]


@pytest.mark.parametrize(
    "opening",
    [outage(), polled(a_gap(reason="plays cannot be read"))],
    ids=["an outage", "a poll"],
)
def test_a_later_poll_closes_an_open_gap(load, rows, is_closed, opening):
    load(opening)
    before = is_closed()

    load(polled(a_gap(end=2, reason="nothing missed", is_closed=True), origin="polls/me/2"))

    assert before == [False]
    assert rows(STORED) == [["me", NOON, None, "nothing missed", "polls/me/2", "polls/me/2"]]
    assert rows("SELECT closed_until FROM gap") == [[at(2)]]
    assert is_closed() == [True]


def test_a_gap_reopens_if_a_later_poll_missed_plays(load, rows, is_closed):
    load(polled(a_gap(end=2, is_closed=True)), polled(a_gap(end=5), origin="polls/me/2"))

    assert is_closed() == [False]
    assert rows("SELECT closed_until, ended_at FROM gap") == [[at(2), at(5)]]


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "later first"])
def test_a_gap_closed_by_two_polls_has_the_earlier_poll_in_closed_by(load, rows, order):
    closing = [polled(a_gap(end=2, is_closed=True), f"polls/me/{n}") for n in range(2)]

    load(*closing[::order])

    assert rows("SELECT closed_by FROM gap") == [["polls/me/0"]]


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "later first"])
def test_the_later_of_two_reported_gap_ends_is_stored(load, rows, order):
    batches = [polled(a_gap(end=2)), polled(a_gap(end=3), origin="polls/me/2")]

    load(*batches[::order])

    assert rows("SELECT ended_at FROM gap") == [[at(3)]]


def test_a_poll_closes_the_gaps_of_earlier_polls(load, rows, is_closed):
    load(polled(a_gap(0, 2)), polled(a_gap(4, 5), "polls/me/2"))
    closed = (a_gap(0, 6, is_closed=True), a_gap(4, 6, is_closed=True))
    report = PollReport(polled_at=NOON, returned=50, new=0, late=0, moved=0, closed=closed)

    load(a_batch(origin="polls/me/3", report=report))

    assert is_closed() == [True, True]
    assert rows("SELECT DISTINCT closed_by FROM gap") == [["polls/me/3"]]


def test_gaps_of_two_listeners_that_start_together_are_stored_separately(load, rows):
    load(outage(), outage(listener="jane"))

    assert [listener for listener, *_ in rows(STORED)] == ["jane", "me"]


REPORTS = st.lists(
    st.builds(
        lambda number, end, closed: polled(
            a_gap(end=end, reason=f"reason {number}", is_closed=closed), f"polls/me/{number}"
        ),
        st.integers(0, 9),
        st.sampled_from([None, 1, 2, 3]),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda batch: batch.origin,
)
UPLOADS = st.lists(
    st.builds(
        lambda number, start, end: upload(span(start, end), origin=f"history/me/{number}.zip"),
        st.integers(0, 9),
        st.sampled_from([-1, 0, 1]),
        st.sampled_from([1, 2, 4]),
    ),
    max_size=2,
    unique_by=lambda batch: batch.origin,
)
STATE = """
SELECT started_at, ended_at, reason, origin, closed_by, closed_until::text, closed_at IS NULL
FROM gap
"""


def is_missing(batches) -> bool:
    """Return whether plays may be missing, from the reports alone."""
    gaps = [batch.report.gap for batch in batches if isinstance(batch.report, PollReport)]
    spans = [one for batch in batches if batch.source == EXPORT for one in batch.report.spans]
    ends = [gap.ended_at for gap in gaps if gap.ended_at and not gap.is_closed]
    shown = [gap.ended_at or datetime.max.replace(tzinfo=NOON.tzinfo)
             for gap in gaps if gap.is_closed]  # fmt: skip
    shown += [one.ended_at for one in spans if one.started_at <= NOON and ends]
    return not shown or bool(ends and max(shown) < max(ends))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.builds(add, REPORTS, UPLOADS), data=st.data())
def test_order_and_repetition_of_gap_reports_do_not_change_the_gap(
    owner, load, rows, batches, data
):
    owner.run("TRUNCATE gap, poll, loaded_batch, import_report")
    load(*batches)
    in_order = rows(STATE)
    owner.run("TRUNCATE gap, poll, loaded_batch, import_report")
    shuffled = data.draw(st.permutations(batches))

    load(*shuffled, *data.draw(st.lists(st.sampled_from(batches), max_size=3)))

    assert rows(STATE) == in_order
    assert in_order[0][-1] is is_missing(batches)


def batches_of_an_upload():
    first, second = (
        a_batch(*plays_apart(2, first=2 * n), source=EXPORT, origin=UPLOAD, number=n)
        for n in range(2)
    )
    return first, second, upload(span(-1, 3), batches=3)


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_an_upload_closes_a_gap_reported_before_or_after_it(load, rows, order):
    batches = [*batches_of_an_upload(), polled(a_gap(0, 2))]
    *before, last = (batches[n] for n in order)
    load(*before)
    early = rows("SELECT closed_at FROM gap")

    load(last)

    assert early in ([], [[None]])
    assert rows("SELECT closed_by, closed_until FROM gap") == [[UPLOAD, at(3)]]


@pytest.mark.parametrize("missing", [0, 1, 2], ids=["first", "second", "report"])
def test_an_incomplete_upload_closes_no_gap(load, is_closed, missing):
    batches = [polled(a_gap(0, 2)), *batches_of_an_upload()]
    del batches[missing + 1]

    load(*batches)

    assert is_closed() == [False]


def test_an_upload_whose_batches_arrive_in_one_load_closes_a_gap(database, load, is_closed):
    load(polled(a_gap(0, 2)))

    Store(database).load(batches_of_an_upload())

    assert is_closed() == [True]


def test_a_later_report_does_not_change_the_closing_time_of_a_gap(load, rows):
    load(polled(a_gap(0, 2)), upload(span(-1, 3)))
    (before,) = rows("SELECT closed_at FROM gap")

    load(upload(span(-1, 9), origin="history/me/later.zip"), polled(a_gap(0, 2)))

    assert rows("SELECT closed_at, closed_by FROM gap") == [[*before, "history/me/later.zip"]]


A_GAP = polled(a_gap(0, 2))
REPORTS_OF_GAPS = {
    "closed before it is reported": ([polled(a_gap(end=2, is_closed=True)), outage()], [True]),
    "closed for any end": (
        [polled(a_gap(is_closed=True)), polled(a_gap(end=2), "polls/me/2")],
        [True],
    ),
    "covered from end to end": ([A_GAP, upload(span(0, 2))], [True]),
    "begins before the upload": ([A_GAP, upload(span(0.5, 3))], [False]),
    "ends after the upload": ([A_GAP, upload(span(-1, 1.5))], [False]),
    "a hole in the upload": ([A_GAP, upload(span(-1, 1), span(1.5, 3))], [False]),
    "an upload without spans": ([A_GAP, upload()], [False]),
    "of another listener": (
        [polled(a_gap(0, 2), listener="jane"), upload(span(-1, 3))],
        [False],
    ),
    "without an end": ([outage(), upload(span(-1, 3))], [False]),
    "ended after the upload": ([outage(), upload(span(-1, 3)), A_GAP], [True]),
    "two of three are covered": (
        [
            *(A_GAP, polled(a_gap(4, 5), "polls/me/2"), polled(a_gap(8, 9), "polls/me/3")),
            upload(span(-1, 3), span(4, 6)),
        ],
        [True, True, False],
    ),
}


@pytest.mark.parametrize(("batches", "closed"), REPORTS_OF_GAPS.values(), ids=REPORTS_OF_GAPS)
def test_a_gap_closes_only_by_a_poll_or_upload_that_covers_it(load, is_closed, batches, closed):
    load(*batches)

    assert is_closed() == closed
