"""Messages of the queues: each is read, or reported as failed without harm to its neighbours."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from services.enricher.domain.entry import Entry
from services.enricher.domain.findings import Findings
from services.enricher.domain.join import CollectedBatch
from services.enricher.enrich import Enricher
from shared.messages import read_messages
from shared.models import EnrichedBatch, Message, PollReport, TrackFeatures, UploadReport
from shared.telemetry import metrics
from tests.fuzz.harness import NoValueError, Target, plain
from tests.fuzz.queues import enriched_plays
from tests.fuzz.tape import Tape, changed_json
from tests.unit.loader.loader_examples import API, EXPORT, NOON, a_batch, a_play, an_event, features

REPORTS = (
    PollReport.model_validate(
        {"polled_at": NOON, "returned": 2, "new": 1, "late": 0, "moved": 0,
         "gap": {"started_at": NOON, "reason": "a gap"},
         "closed": [{"started_at": NOON, "ended_at": NOON, "reason": "b", "is_closed": True}]}
    ),
    UploadReport.model_validate(
        {"rows_in": 3, "published": 1, "skipped": {"podcast episode": 2}, "batches": 1,
         "files": ["endsong.json"], "problems": [{"file": "a", "reason": "b"}],
         "first_played_at": NOON, "last_played_at": NOON,
         "spans": [{"started_at": NOON, "ended_at": NOON}]}
    ),
    {"kind": "outage", "gap": {"started_at": NOON, "reason": "Spotify fails"}},
)  # fmt: skip
TRACK = "1AAAAAAAAAAAAAAAAAAAAA"
PLAYS = (a_play(), a_play(1, TRACK, album_name="Harbour", isrc="QZAAA2600001", popularity=7))
BATCHES: list[dict[str, Any]] = [
    json.loads(batch.model_dump_json())
    for batch in (
        a_batch(*PLAYS, features=(features(TRACK, energy=0.5, key=-1, tempo=99.5, popularity=5),)),
        a_batch(*PLAYS, report=REPORTS[0]),
        a_batch(PLAYS[0], source=EXPORT, report=REPORTS[1], origin="history/me/a.zip?versionId=1"),
        a_batch(report=REPORTS[2], origin="outages/me/1"),
        a_batch(listener=None, source=None, features=(features(popularity=1), features(TRACK))),
    )
]
KNOWN = {f"spotify:track:{TRACK}": TrackFeatures.model_validate(features(TRACK, popularity=3))}
assert BATCHES[0]["source"] == API


def make(tape: Tape) -> bytes:
    return changed_json(tape, tape.one_of(BATCHES))


class Known:
    """Knows one track, as `Lookup` does."""

    def find(self, tracks: Iterable[str], until: datetime) -> Findings:
        return Findings({track: Entry(KNOWN[track]) for track in tracks if track in KNOWN})

    def save(self, findings: Findings) -> None:
        pass


def read_collected(content: bytes) -> None:
    queue, held = enriched_plays()
    read = _read(content, CollectedBatch)
    failed = Enricher(lookup=Known(), queue=queue).enrich(read, datetime.now(UTC))  # type: ignore[arg-type]  # it needs these two calls
    metrics.clear_metrics()
    assert not failed
    assert len(held.bodies) == len(read)


def read_enriched(content: bytes) -> None:
    for batch in _read(content, EnrichedBatch).values():
        assert EnrichedBatch.model_validate_json(batch.model_dump_json(exclude_none=True)) == batch


def _read(content: bytes, model: type[Message]) -> dict[str, Any]:
    """Read a message beside a good one; raise NoValueError if it is reported as failed."""
    body = content.decode(errors="replace")
    found, failed = read_messages(an_event(json.dumps(BATCHES[0]), body), model)
    assert "m0" in found
    if failed:
        assert failed == ["m1"]
        raise NoValueError
    return found


TARGETS = (
    Target("collected-plays", make, plain(read_collected)),
    Target("enriched-plays", make, plain(read_enriched)),
)
