"""Previews, lists and applies deletions, and copies them between Postgres and the archive."""

import getpass
from collections.abc import Iterator
from typing import Any

from cli.errors import CommandError
from cli.local_time import local
from cli.output import Document, Instant
from cli.statements import STATEMENTS, as_document
from cli.target import Target
from services.loader.derive import Derived
from shared.deletions import FOLDER, UNDONE, Deletion, DeletionRule, Undo, archive_key
from shared.queries import Reader

STEP_S = 2
"""Time for the derived tables in the call that moves plays; the rest is refreshed afterwards."""


class Example(Document):
    """One of the most played tracks among the plays of a deletion."""

    track_name: str
    artist_name: str
    plays: int


class Preview(Document):
    """The plays that a deletion would move out of the history now, and its `rule`."""

    rule: dict[str, Any]
    plays: int
    minutes: int
    first_played_at: Instant | None
    last_played_at: Instant | None
    examples: list[Example]


class StoredDeletion(Document):
    """A deletion: it moved out `plays` when it was made, and keeps out `kept_out` plays now."""

    number: int
    listener: str
    rule: dict[str, Any]
    deleted_at: Instant
    deleted_by: str
    plays: int
    kept_out: int
    undone_at: Instant | None
    undone_by: str | None


def preview(database: Reader, listener: str, rule: DeletionRule) -> Preview:
    """Count the plays that a deletion would move out of the history, with examples."""
    typed = rule.model_dump_json(exclude_none=True)
    (row,) = database.run(STATEMENTS["deletion_preview"], listener=listener, rule=typed)
    return as_document(Preview, row)


def fetch_deletions(database: Reader) -> list[StoredDeletion]:
    """Read all deletions, undone ones too, in the order of their numbers."""
    return [as_document(StoredDeletion, row) for row in database.run(STATEMENTS["deletions"])]


def describe(rule: DeletionRule) -> str:
    """Return a rule in words, such as `artist Peppa or Bluey, shorter than 30 s`."""
    parts = [
        f"{kind} {' or '.join(names)}"
        for kind, names in (
            ("track", rule.tracks),
            ("artist", rule.artists),
            ("album", rule.albums),
        )
        if names
    ]
    if rule.platform:
        parts.append(f"platform with “{rule.platform}”")
    if rule.shorter_than_ms:
        parts.append(f"shorter than {rule.shorter_than_ms / 1000:g} s")
    if rule.since:
        parts.append(f"from {local(rule.since)}")
    if rule.until:
        parts.append(f"before {local(rule.until)}")
    return ", ".join(parts)


def apply(target: Target, fact: Deletion | Undo) -> int:
    """Apply a deletion or an undo in Postgres; return how many plays it moved out or back.

    Raises:
        CommandError: The function `derive` failed.
    """
    name = "undo" if isinstance(fact, Undo) else "delete"
    answer = target.call("Derive", {name: fact.model_dump(mode="json"), "seconds": STEP_S})
    derived = Derived.model_validate_json(answer)
    if derived.error:
        raise CommandError(derived.error)
    return derived.moved


def sync_deletions(target: Target) -> None:
    """Copy deletions and undos that only Postgres has to the archive, and the reverse.

    So the same plays are kept out after Postgres is restored, or rebuilt from the archive.
    """
    s3, bucket = target.client("s3"), target.output("ArchiveBucket")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{FOLDER}/")
    archived = {each["Key"] for page in pages for each in page.get("Contents", [])}
    with target.database() as database:
        known = {
            archive_key(fact): fact for each in fetch_deletions(database) for fact in _facts(each)
        }
    for key in known.keys() - archived:
        s3.put_object(Bucket=bucket, Key=key, Body=known[key].model_dump_json().encode())
    # A deletion sorts before its undo.
    for key in sorted(archived - known.keys()):
        model = Undo if key.endswith(UNDONE) else Deletion
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        apply(target, model.model_validate_json(body))


def who(target: Target) -> str:
    """Return who runs the command: the ARN of the AWS identity, or locally the login name."""
    if target.state:
        return getpass.getuser()
    identity: str = target.client("sts").get_caller_identity()["Arn"]
    return identity


def _facts(stored: StoredDeletion) -> Iterator[Deletion | Undo]:
    yield Deletion(
        listener=stored.listener,
        rule=DeletionRule.model_validate(stored.rule),
        deleted_at=stored.deleted_at,
        deleted_by=stored.deleted_by,
    )
    if stored.undone_at:
        yield Undo(
            listener=stored.listener,
            deleted_at=stored.deleted_at,
            undone_at=stored.undone_at,
            undone_by=str(stored.undone_by),
        )
