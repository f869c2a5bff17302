"""The checks after a run: rows, books, gaps, dead letters, quarantine, secrets, `plays verify`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from cli.commands.verify import DIFFERS
from tests.chaos.secrets_in_logs import SecretsInLogs
from tests.chaos.truth import Difference, Export, Heard, compare, find_false_gaps
from tests.chaos.world import QUEUES, World

SHOWN = 5
"""Examples of a problem in the report."""

Problems = dict[str, list[str]]

_COMPLETE = """
SELECT r.origin
FROM import_report r
WHERE r.listener = :listener
  AND r.batches = (SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin)
"""
_ROWS = """
SELECT track_uri, played_at, ms_played FROM listening_history WHERE listener = :listener
"""
_GAPS = "SELECT started_at, ended_at FROM gap WHERE listener = :listener AND closed_at IS NULL"
_BOOKS = """
SELECT coalesce(sum(inserted + regrouped), 0) FROM loaded_batch WHERE listener = :listener
"""
_IMPORTS = """
SELECT r.origin, r.rows_in, r.published,
       (SELECT coalesce(sum(n.value::int), 0) FROM jsonb_each_text(r.skipped) AS n),
       (SELECT coalesce(sum(n.value::int), 0) FROM jsonb_each_text(r.quarantined) AS n),
       (SELECT coalesce(sum(b.plays), 0) FROM loaded_batch b WHERE b.origin = r.origin)
FROM import_report r
WHERE r.listener = :listener
"""


@dataclass(frozen=True)
class Fed:
    """What a run fed in: the truth.

    Attributes:
        must: Plays that Spotify showed to a poll that succeeded.
        may: All plays that it may have shown.
        heard: All plays that ended before the last poll.
    """

    exported: Mapping[Heard, int]
    must: set[Heard]
    may: Sequence[Heard]
    heard: set[Heard]
    uploads: Mapping[str, Export]


def complete_uploads(world: World, listener: str) -> set[str]:
    """Return the origins of the uploads that are loaded completely."""
    return {origin for (origin,) in world.rows(_COMPLETE, listener=listener)}


def check(world: World, listener: str, fed: Fed) -> tuple[int, Problems]:
    """Return the number of rows of a listener, and what is wrong with what is stored of them."""
    rows = [
        (Heard(track_uri, played_at), ms_played)
        for track_uri, played_at, ms_played in world.rows(_ROWS, listener=listener)
    ]
    problems = _differences(compare(rows, fed.exported, fed.must, fed.may))
    problems |= _gaps(world, listener, fed, [heard for heard, _ in rows])
    problems["books"] = _books(world, listener, len(rows), fed.uploads)
    problems["quarantine"] = _quarantine(world, listener, fed.uploads)
    return len(rows), problems


def check_cloud(world: World) -> Problems:
    """Return what is wrong in a settled cloud, across all listeners."""
    stuck = [f"{world.depth(queue)} in {queue}" for queue in QUEUES if world.depth(queue)]
    dead = [f"{depth} in {queue}" for queue in QUEUES if (depth := world.depth(queue, dead=True))]
    return {"stuck": stuck, "dead": dead, "secrets": SecretsInLogs.of(world).found()}


def _differences(difference: Difference) -> Problems:
    return {
        kind: [f"{len(found)} plays, such as {one.track_uri} at {one.at}" for one in found[:1]]
        for kind, found in (
            ("lost", difference.lost),
            ("doubled", difference.doubled),
            ("alien", difference.alien),
            ("shortened", difference.shortened),
        )
    }


def _gaps(world: World, listener: str, fed: Fed, rows: Sequence[Heard]) -> Problems:
    first, last = min(one.at for one in fed.must), max(one.at for one in fed.must)
    heard = sorted((one for one in fed.heard if first <= one.at <= last), key=lambda one: one.at)
    gaps = [(start, end) for start, end in world.rows(_GAPS, listener=listener)]
    untold, false = find_false_gaps(heard, rows, gaps)
    return {
        "gap missing": [f"{one.track_uri} at {one.at} is lost" for one in untold[:SHOWN]],
        "gap false": [f"{start} to {end}" for start, end in false[:SHOWN]],
    }


def _books(world: World, listener: str, rows: int, uploads: Mapping[str, Export]) -> list[str]:
    """Compare the ledger with the rows, and each report with the file that it is about."""
    ((booked,),) = world.rows(_BOOKS, listener=listener)
    wrong = [] if booked == rows else [f"{rows} rows, but {booked} are booked"]
    told = {
        origin: tuple(map(int, counts))
        for origin, *counts in world.rows(_IMPORTS, listener=listener)
    }
    for origin, held in uploads.items():
        published = held.rows - held.skipped - held.broken
        expected = (held.rows, published, held.skipped, held.broken, published)
        if told.get(origin) != expected:
            wrong.append(f"{origin}: {told.get(origin)} instead of {expected}")
    return wrong[:SHOWN]


def _quarantine(world: World, listener: str, uploads: Mapping[str, Export]) -> list[str]:
    """Count the unreadable rows that the archive keeps of each upload."""
    wrong = []
    for origin, held in uploads.items():
        if not held.broken:
            continue
        key = f"quarantine/{listener}/{origin}.jsonl"
        s3 = world.aws("s3")
        try:
            answer = s3.get_object(Bucket=world.bucket, Key=key)
        except s3.exceptions.NoSuchKey:
            wrong.append(f"{unquote(key)} is missing")
            continue
        kept = len(answer["Body"].read().splitlines())
        if kept != held.broken:
            wrong.append(f"{unquote(key)} holds {kept} rows instead of {held.broken}")
    return wrong


UNSENT = "answers not in Postgres"
"""A poll archives an answer before it publishes it; if that fails, the next poll repeats it."""


def verify(world: World, listener: str, *, lost_state: bool) -> list[str]:
    """Return what `plays verify` finds of a listener, after the rebuild that unsent answers need.

    Args:
        lost_state: MiniStack crashed after the last poll, so the collector's state is gone.
    """
    expected = {"collector's state is older"} if lost_state else set()
    findings = _findings(world, listener, expected)
    if UNSENT in {each["kind"] for each in findings}:
        world.plays("rebuild", "--listener", listener, "--wait")
        findings = _findings(world, listener, expected)
    return [json.dumps(each) for each in findings]


def _findings(world: World, listener: str, expected: set[str]) -> list[dict[str, Any]]:
    done = world.plays("verify", "--listener", listener, "--json")
    if done.returncode not in {0, DIFFERS}:
        return [{"kind": "failed", "output": f"{done.stdout}{done.stderr}".strip()[-2_000:]}]
    return [each for each in json.loads(done.stdout)["findings"] if each["kind"] not in expected]
