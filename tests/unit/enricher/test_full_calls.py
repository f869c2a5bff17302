"""In the middle of an upload the source gets full calls only, and no track is left behind."""

import math
from datetime import timedelta

import pytest
import requests
from botocore.exceptions import ClientError

from services.enricher.handler import LONGEST_ASKING
from services.enricher.join import CollectedBatch
from services.enricher.lookup import Findings, Lookup
from services.enricher.sources import SourceOffError
from shared.errors import FeatureSourceError
from shared.models import UploadReport
from tests.unit.enricher.examples import START, a_batch, uris
from tests.unit.enricher.test_lookup import Source, failing
from tests.unit.enricher.test_outage import MOST_BATCHES, Pipeline, a_play_of
from tests.unit.enricher.test_redelivery import FrailTable, Sound, Unread, Unwritten

REPORT = UploadReport(rows_in=1, published=1, batches=1)


class Upload(Pipeline):
    """A pipeline that an upload goes through, an invocation at a time."""

    def __init__(self, reccobeats, session, clock):
        self.table = FrailTable()
        super().__init__(reccobeats, session, clock, self.table)
        self._now = clock
        self.enricher = self.new_enricher()
        self.is_refused = False

    def go_on(self, tracks, batches=MOST_BATCHES, report=None):
        """Deliver tracks in so many batches, of which the last has a report."""
        size = math.ceil(len(tracks) / batches)
        parts = [tracks[number * size : (number + 1) * size] for number in range(batches)]
        reports = [None] * (batches - 1) + [report]
        messages = {
            str(number): CollectedBatch.model_validate(
                a_batch(*map(a_play_of, part), number=number, report=told).model_dump()
            )
            for number, (part, told) in enumerate(zip(parts, reports, strict=True))
        }
        return self.enricher.enrich(messages, self._now() + LONGEST_ASKING)

    def _load(self, **message):
        if self.is_refused:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "SendMessage")
        super()._load(**message)


@pytest.fixture
def upload(reccobeats, clock):
    # Not at a full second: the table rounds up when to ask again.
    clock.move(milliseconds=500)
    with requests.Session() as session:
        yield Upload(reccobeats, session, clock)


def sizes(reccobeats):
    return [len(call.ids) for call in reccobeats.calls]


def test_in_the_middle_of_an_upload_only_full_calls_are_made(upload, reccobeats):
    again = upload.go_on(uris(90))

    assert again == []
    assert set(upload.loaded_at) == set(uris(90))
    assert sizes(reccobeats) == [40] * 4
    assert set(upload.features) == set(uris(80))


def test_what_is_left_over_is_asked_for_with_what_comes_next(upload, reccobeats):
    upload.go_on(uris(90))
    reccobeats.calls.clear()

    upload.go_on(uris(70, "next"))

    assert sizes(reccobeats) == [40] * 4
    assert set(upload.features) == {*uris(90), *uris(70, "next")}


def test_a_whole_upload_costs_two_calls_per_forty_tracks(upload, reccobeats):
    tracks = uris(2_345)
    for start in range(0, 2_300, 115):
        upload.go_on(tracks[start : start + 115])
    upload.go_on(tracks[2_300:], batches=3, report=REPORT)

    assert set(upload.features) == set(upload.loaded_at) == set(tracks)
    assert len(reccobeats.calls) == 2 * math.ceil(2_345 / 40)


@pytest.mark.parametrize(
    ("batches", "report"),
    [(MOST_BATCHES, REPORT), (MOST_BATCHES - 1, None), (1, None)],
    ids=["an origin ends", "no more is waiting", "a message alone"],
)
def test_elsewhere_what_is_left_over_is_asked_for_at_once(upload, reccobeats, batches, report):
    upload.go_on(uris(90))

    upload.go_on(uris(5, "last"), batches, report)

    assert set(upload.features) == {*uris(90), *uris(5, "last")}
    assert sizes(reccobeats) == [40] * 4 + [15] * 2


def test_if_nothing_comes_healing_asks_for_what_was_left_over(upload, reccobeats):
    upload.go_on(uris(90))

    healing = upload.heal()

    assert (healing.asked, healing.learned) == (10, 10)
    assert set(upload.features) == set(uris(90))


def test_what_another_container_learnt_meanwhile_is_not_asked_for(upload, reccobeats):
    upload.go_on(uris(90))
    upload.heal()
    reccobeats.calls.clear()

    upload.go_on(uris(40, "next"))

    assert [sorted(call.ids) for call in reccobeats.calls] == [
        sorted(one.rpartition(":")[2] for one in uris(40, "next"))
    ] * 2


@pytest.mark.parametrize("container", ["same", "new"])
def test_features_that_come_late_are_published_before_they_count_as_known(upload, container):
    upload.go_on(uris(90))
    upload.is_refused = True
    with pytest.raises(ClientError):
        upload.go_on(uris(70, "next"))
    upload.is_refused = False
    if container == "new":
        upload.enricher = upload.new_enricher()

    upload.go_on(uris(70, "next"))
    upload.heal()

    assert set(upload.features) == {*uris(90), *uris(70, "next")}


def test_without_its_table_nothing_is_left_over(upload):
    upload.table.trouble = Unread()

    again = upload.go_on(uris(90))

    assert again == []
    assert set(upload.features) == set(uris(90))


def test_what_is_left_over_and_cannot_be_written_down_comes_again(upload):
    upload.table.trouble = Unwritten()
    again = upload.go_on(uris(90))
    upload.table.trouble = Sound()
    upload.enricher = upload.new_enricher()

    upload.go_on(uris(90)[80:])

    assert again == ["8", "9"]
    assert upload.heal().learned == 10
    assert set(upload.features) == set(uris(90))


@pytest.mark.parametrize(
    ("failure", "wait"),
    [
        (FeatureSourceError("busy", 7_200), timedelta(hours=2)),
        (SourceOffError("not logged in"), timedelta(hours=1)),
    ],
    ids=["blocked", "off"],
)
def test_a_source_that_may_not_be_asked_leaves_nothing_over(new_container, clock, failure, wait):
    lookup = Lookup(new_container(), {"source": Source(failing(failure))}, clock)
    lookup.find(uris(40, "first"), START + LONGEST_ASKING)

    findings = lookup.find(uris(50), START + LONGEST_ASKING, full_calls=True)

    assert findings.left == ()
    assert {entry.retry_at for entry in findings.entries.values()} == {START + wait}


def test_a_deployment_without_sources_leaves_nothing_over(new_container, clock):
    findings = Lookup(new_container(), {}, clock).find(uris(5), START, full_calls=True)

    assert findings == Findings({}, findings.entries)
    assert {entry.retry_at for entry in findings.entries.values()} == {START + timedelta(hours=1)}
