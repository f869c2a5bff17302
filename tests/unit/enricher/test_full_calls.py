"""In the middle of an upload the source gets full calls only, and no track is left behind."""

import math
from datetime import timedelta

import pytest
import requests
from botocore.exceptions import ClientError

from services.enricher.cache.items import entry_of
from services.enricher.domain.findings import Findings
from services.enricher.domain.join import CollectedBatch
from services.enricher.handler import LONGEST_ASKING
from services.enricher.lookup import Lookup
from services.enricher.sources.source import SourceOffError
from shared.errors import FeatureSourceError
from shared.models import EnrichedBatch, UploadReport
from tests.unit.enricher.examples import START, a_batch, uri, uris
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
        self.origins = []
        self.refused = ()

    def go_on(self, tracks, batches=MOST_BATCHES, report=None, by=None):
        """Deliver tracks in so many batches, of which the second (or only) may have a report."""
        size = math.ceil(len(tracks) / batches)
        parts = [tracks[number * size : (number + 1) * size] for number in range(batches)]
        messages = {
            str(number): CollectedBatch.model_validate(
                a_batch(
                    *map(a_play_of, part),
                    number=number,
                    report=report if number == min(1, batches - 1) else None,
                ).model_dump()
            )
            for number, part in enumerate(parts)
        }
        return (by or self.enricher).enrich(messages, self._now() + LONGEST_ASKING)

    def due_since(self, track):
        """Tell since when the table says that a track is due."""
        wanted = {"Keys": [{"track_uri": {"S": track}}]}
        (item,) = self.table.batch_get_item({"t": wanted})["Responses"]["t"]
        return entry_of(item).retry_at

    def _load(self, QueueUrl, MessageBody):
        origin = EnrichedBatch.model_validate_json(MessageBody).origin
        self.origins.append(origin.partition("/")[0])
        if self.origins[-1] in self.refused:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "SendMessage")
        super()._load(QueueUrl, MessageBody)


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


def test_what_another_container_left_over_waits_for_it_or_for_healing(upload, reccobeats):
    tracks, containers = uris(1_000), [upload.new_enricher() for _ in range(2)]
    for number, start in enumerate(range(0, 1_000, 100)):
        upload.go_on(tracks[start : start + 100], by=containers[number % 2])
    upload.go_on(uris(3, "end"), report=REPORT, by=containers[0])
    without = {*tracks, *uris(3, "end")} - set(upload.features)

    healing = upload.heal()

    assert healing.learned == len(without) == 20
    assert {*tracks, *uris(3, "end")} == set(upload.features)
    assert len(reccobeats.calls) == 2 * math.ceil(1_003 / 40)


def test_what_is_played_again_is_asked_for_once(upload, reccobeats):
    upload.go_on(uris(30))

    upload.go_on(uris(35), batches=1)

    assert sizes(reccobeats) == [35] * 2


def test_in_the_middle_two_containers_do_not_take_along_the_same(upload, reccobeats):
    upload.go_on(uris(10))

    upload.go_on(uris(30, "other"), by=upload.new_enricher())

    assert reccobeats.calls == []


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


def test_where_each_message_comes_alone_it_is_asked_for_at_once(upload):
    upload.enricher = upload.new_enricher(most_batches=1)

    upload.go_on(uris(5), batches=1)

    assert set(upload.features) == set(uris(5))


def test_if_nothing_comes_healing_asks_for_what_was_left_over(upload, reccobeats):
    upload.go_on(uris(90))

    healing = upload.heal()

    assert (healing.asked, healing.learned) == (10, 10)
    assert set(upload.features) == set(uris(90))


def test_what_is_left_over_again_keeps_its_place(upload, clock, reccobeats):
    upload.go_on(uris(3))
    since = upload.due_since(uri("track0"))
    clock.move(minutes=1)

    upload.go_on(uris(2, "next"))

    assert upload.due_since(uri("track0")) == since == START
    assert upload.due_since(uri("next0")) == START + timedelta(minutes=1)
    assert reccobeats.calls == []


def test_what_was_left_over_is_not_left_over_again_where_a_call_is_made(upload, reccobeats):
    upload.go_on(uris(90))
    reccobeats.calls.clear()

    upload.go_on(uris(35, "next"))

    told = [one for call in reccobeats.calls[::2] for one in call.ids]
    assert told == [one.rpartition(":")[2] for one in (*uris(90)[80:], *uris(30, "next"))]


def test_plays_are_published_before_what_was_left_over(upload):
    upload.go_on(uris(90))

    upload.go_on(uris(35, "next"), batches=2)

    assert upload.origins[-3:] == ["history", "history", "late"]


@pytest.mark.parametrize("goes_on", [True, False], ids=["middle", "end"])
def test_what_another_container_learnt_meanwhile_is_neither_asked_for_nor_published(
    upload, reccobeats, goes_on
):
    upload.go_on(uris(90))
    upload.heal()
    reccobeats.calls.clear()
    upload.origins.clear()

    upload.go_on(uris(40, "next"), MOST_BATCHES if goes_on else 1)

    assert sizes(reccobeats) == [40] * 2
    assert set(upload.origins) == {"history"}


@pytest.mark.parametrize("container", ["same", "new"])
def test_features_that_come_late_are_published_before_they_count_as_known(
    upload, container, reccobeats
):
    upload.go_on(uris(90))
    upload.refused = ("late", "history")
    again = upload.go_on(uris(70, "next"))
    upload.refused = ()
    if container == "new":
        upload.enricher = upload.new_enricher()

    upload.go_on(uris(70, "next"))
    upload.heal()

    assert again == [str(number) for number in range(MOST_BATCHES)]
    assert set(upload.features) == {*uris(90), *uris(70, "next")}
    # Just those that came late are asked for a second time.
    assert sum(sizes(reccobeats)) == 2 * (160 + 10)


def test_that_late_features_are_refused_fails_no_message(upload):
    upload.go_on(uris(90))
    upload.refused = ("late",)

    assert upload.go_on(uris(70, "next")) == []
    assert set(upload.features) == {*uris(80), *uris(70, "next")}


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


def test_what_was_left_over_before_and_is_in_the_table_makes_no_message_come_again(
    upload, reccobeats, caplog
):
    upload.go_on(uris(1, "known"), batches=1)
    upload.go_on(uris(3))
    reccobeats.fail(503)
    upload.table.trouble = Unwritten()

    again = upload.go_on(uris(1, "known"), batches=1)

    assert again == []
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_what_is_left_over_waits_with_the_others_once_the_source_says_wait(upload, reccobeats):
    upload.go_on(uris(3))
    reccobeats.fail(429, Retry_After="600")

    upload.go_on(uris(1, "poll"), batches=1)

    due_since = {upload.due_since(track) for track in (*uris(3), *uris(1, "poll"))}
    assert due_since == {START + timedelta(seconds=601)}
    assert len(reccobeats.calls) == 1


def test_what_is_left_over_is_counted_apart(upload, caplog):
    upload.go_on(uris(90))

    (record,) = [record for record in caplog.records if record.message == "enriched"]
    assert (record.learned, record.postponed, record.left) == (80, 0, 10)


@pytest.mark.parametrize(
    ("failure", "wait"),
    [
        (FeatureSourceError("busy", 7_200), timedelta(hours=2)),
        (SourceOffError("not logged in"), timedelta(hours=1)),
    ],
    ids=["blocked", "off"],
)
@pytest.mark.parametrize("asked", [40, 0], ids=["by itself", "before"])
def test_a_source_that_may_not_be_asked_leaves_nothing_over(
    new_container, clock, failure, wait, asked
):
    lookup = Lookup(new_container(), {"source": Source(failing(failure))}, clock)
    if not asked:
        lookup.find(uris(40, "first"), START + LONGEST_ASKING)

    findings = lookup.find(uris(asked + 10), START + LONGEST_ASKING, full_calls=True)

    assert findings.left == ()
    assert {entry.retry_at for entry in findings.entries.values()} == {START + wait}


def test_a_deployment_without_sources_leaves_nothing_over(new_container, clock):
    findings = Lookup(new_container(), {}, clock).find(uris(5), START, full_calls=True)

    assert findings == Findings({}, findings.entries)
    assert {entry.retry_at for entry in findings.entries.values()} == {START + timedelta(hours=1)}
