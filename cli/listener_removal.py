"""Delete all that is stored of one listener: plays, files of the archive, state and login."""

import time
from collections.abc import Iterator
from typing import Any

from cli.commands.derive import derive_all
from cli.errors import CommandError
from cli.listeners import Listeners
from cli.output import Document
from cli.queues import depth, queue_pairs
from cli.statements import STATEMENTS
from cli.target import Target
from shared.archive import DEFAULT_LISTENER, UPLOADS, listener_of

PAUSE_S = 1
DRAIN_S = 120
"""How long to wait for messages that may hold plays of the listener."""
QUIET_CHECKS = 2
PLAYS_QUEUES = ("collected-plays", "enriched-plays")
"""Their dead letters hold plays. A replayed upload of a removed listener is refused instead."""


class Holdings(Document):
    """What is stored of a listener: rows in Postgres, and versions of files in the archive."""

    listener: str
    plays: int
    gaps: int
    uploads: int
    answers: int
    """Answers of polls."""


def count_holdings(target: Target, listener: str) -> Holdings:
    """Count what a removal deletes.

    Raises:
        DatabaseAwayError: Postgres is not available.
    """
    with target.database() as database:
        ((plays, gaps),) = database.run(STATEMENTS["of_listener"], listener=listener)
    # The mark of a deleted file has no size, and a folder is no file.
    keys = [
        each["Key"]
        for files in _files(target, listener)
        for each in files
        if "Size" in each and not each["Key"].endswith("/")
    ]
    uploads = sum(key.startswith(UPLOADS) for key in keys)
    return Holdings(
        listener=listener,
        plays=plays,
        gaps=gaps,
        uploads=uploads,
        answers=sum(key.startswith("polls/") for key in keys),
    )


def remove(target: Target, listener: str) -> None:
    """Delete all that is stored of a listener who is no longer deployed.

    The secret goes last, so that a removal that was cut short can be run again.

    Raises:
        CommandError: Messages are still in the queues, or the rows cannot be deleted.
    """
    _wait_for_queues(target)
    derive_all(target, {"remove": listener})
    s3, bucket = target.client("s3"), target.output("ArchiveBucket")
    for files in _files(target, listener):
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in files]
        refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects}).get("Errors")
        if refused:
            raise CommandError(f"S3 does not delete {refused[0]['Key']}: {refused[0]['Message']}")
    Listeners(target).remove(listener)


def _wait_for_queues(target: Target) -> None:
    """Wait until no message is left that would bring plays back.

    A message that moves between two queues is briefly in none, so two checks must find none.

    Raises:
        CommandError: There are messages after `DRAIN_S`, or dead letters that a replay would load.
    """
    sqs = target.client("sqs")
    pairs = [pair for pair in queue_pairs(target.outputs) if pair.source_url]
    if dead := [
        pair.name
        for pair in pairs
        if pair.name in PLAYS_QUEUES and depth(sqs, pair.dead_letter_url).total
    ]:
        raise CommandError(
            "nothing is deleted yet, because dead letters may hold more plays: replay them first, "
            f"with `plays dlq replay {dead[0]}`, then run this again"
        )
    urls = [str(pair.source_url) for pair in pairs]
    deadline, quiet_checks = time.monotonic() + DRAIN_S, 0
    while quiet_checks < QUIET_CHECKS:
        quiet_checks = 0 if any(depth(sqs, url).total for url in urls) else quiet_checks + 1
        if time.monotonic() > deadline:
            raise CommandError(
                "nothing is deleted yet, because messages in the queues may hold more plays: run "
                "this again once `plays status` shows none in them"
            )
        time.sleep(PAUSE_S)


def _files(target: Target, listener: str) -> Iterator[list[dict[str, Any]]]:
    """Find all versions of a listener's files, and the marks of deleted ones.

    Each list has 1,000 of them at most, which is also the most that S3 deletes at once.
    """
    folders = [f"{folder}/{listener}/" for folder in ("polls", "quarantine", "deletions")]
    # A file outside of any listener's folder is an upload of the default listener.
    uploads = UPLOADS if listener == DEFAULT_LISTENER else f"{UPLOADS}{listener}/"
    pages = target.client("s3").get_paginator("list_object_versions")
    for prefix in (*folders, uploads):
        for page in pages.paginate(Bucket=target.output("ArchiveBucket"), Prefix=prefix):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            mine = [
                each for each in found if prefix != UPLOADS or listener_of(each["Key"]) == listener
            ]
            if mine:
                yield mine
