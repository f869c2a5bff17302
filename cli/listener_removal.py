"""Delete all that is stored of one listener: plays, files of the archive, state and login."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.commands.derive import derive_all
from cli.errors import CommandError, StoppedError, explain
from cli.listeners import Listeners
from cli.output import Document
from cli.queues import depth, queue_pairs
from cli.simulated_plays import forget_simulated
from cli.statements import STATEMENTS
from cli.target import Target
from shared.archive import DEFAULT_LISTENER, UPLOADS, listener_of
from shared.errors import HistoryError

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

    The secret with the login is deleted last, because it marks a listener with data left.

    Raises:
        CommandError: Messages are still in the queues, or a step failed. The message says what is
            left.
        StoppedError: Ctrl-C was pressed. The message says what is left.
    """
    steps = {
        "the plays": partial(derive_all, target, {"remove": listener}),
        "the files": partial(_delete_files, target, listener),
        "the login": partial(_delete_state_and_login, target, listener),
    }
    left = list(steps)
    with resumable(listener, left):
        _wait_for_queues(target)
        for name, step in steps.items():
            step()
            left.remove(name)


@contextmanager
def resumable(listener: str, left: Collection[str] = ("everything",)) -> Iterator[None]:
    """Turn an error or Ctrl-C in the block into an error that says what is still stored.

    Args:
        listener: The listener who is being removed.
        left: What is still stored of them; it may shrink in the block.

    Raises:
        CommandError: A step failed.
        StoppedError: Ctrl-C was pressed in the block.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(f"stopped: {_rest(listener, left)}") from None
    except (HistoryError, BotoCoreError, ClientError) as error:
        why = explain(error) if isinstance(error, BotoCoreError | ClientError) else error
        raise CommandError(f"{why}; {_rest(listener, left)}") from error


def _rest(listener: str, left: Collection[str]) -> str:
    return (
        f"{' and '.join(left)} of {listener} may still be stored: `plays listener remove "
        f"{listener}` again deletes what is left"
    )


def _delete_files(target: Target, listener: str) -> None:
    s3, bucket = target.client("s3"), target.output("ArchiveBucket")
    for files in _files(target, listener):
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in files]
        refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects}).get("Errors")
        if refused:
            raise CommandError(f"S3 does not delete {refused[0]['Key']}: {refused[0]['Message']}")


def _delete_state_and_login(target: Target, listener: str) -> None:
    forget_simulated(target, listener)
    Listeners(target).remove(listener)


def _wait_for_queues(target: Target) -> None:
    """Wait until the queues are empty, because their messages could load plays again.

    A message that moves between two queues is briefly in none, so two checks must find none.

    Raises:
        CommandError: The queues are not empty after `DRAIN_S`, or dead letters hold plays.
    """
    sqs = target.client("sqs")
    pairs = [pair for pair in queue_pairs(target.outputs) if pair.source_url]
    if dead := [
        pair.name
        for pair in pairs
        if pair.name in PLAYS_QUEUES and depth(sqs, pair.dead_letter_url).total
    ]:
        raise CommandError(
            "dead letters may hold plays of the listener: replay them first, with "
            f"`plays dlq replay {dead[0]}`"
        )
    urls = [str(pair.source_url) for pair in pairs]
    deadline, quiet_checks = time.monotonic() + DRAIN_S, 0
    while quiet_checks < QUIET_CHECKS:
        quiet_checks = 0 if any(depth(sqs, url).total for url in urls) else quiet_checks + 1
        if time.monotonic() > deadline:
            raise CommandError(
                "messages in the queues may hold plays of the listener: wait until `plays status` "
                "shows empty queues"
            )
        time.sleep(PAUSE_S)


def _files(target: Target, listener: str) -> Iterator[list[dict[str, Any]]]:
    """Yield lists of a listener's object versions and delete markers in the archive.

    A list has at most 1,000 of them, which is also the most that S3 deletes in one call.
    """
    kinds = ("polls", "quarantine", "dead-letters", "deletions")
    folders = [f"{folder}/{listener}/" for folder in kinds]
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
