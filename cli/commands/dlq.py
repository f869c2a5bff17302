"""`plays dlq`: read dead letters and why they failed; replay, edit, save and purge them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.confirm import YesOption, confirm_by_name
from cli.dead_letter_editor import edit_body
from cli.dead_letter_filters import with_filter
from cli.dead_letter_queues import VISIBILITY_TIMEOUT_S, Selection
from cli.dead_letter_replay import DeadLetterArchive, Sender, move_all, read_file, send_back
from cli.dead_letter_reports import (
    DeadLetterList,
    DeadLetters,
    Kept,
    PeekedLetters,
    Replay,
    counted,
    show_groups,
    show_letters,
    show_list,
)
from cli.dead_letters import DeadLetter, Filter, decode, group
from cli.errors import BadResultError, CommandError
from cli.options import JsonOption, target_of
from cli.output import emit, show
from cli.output_files import written_whole
from cli.queues import QueuePair, depth, depths, find_pair, name_of, queue_pairs
from cli.target import Target

app = typer.Typer(
    no_args_is_help=True,
    help="Read dead letters (messages that failed) and why; replay, edit, save or purge them.",
)

PEEKED = 10
"""How many messages `peek` shows by default."""

QueueArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[QUEUE]",
        show_default=False,
        help="collected-plays, enriched-plays, uploaded-files or failed-ticks. Default: all.",
    ),
]


@app.command("list")
def list_(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Count the dead letters of each queue by listener and reason, with the age of the oldest."""
    target = target_of(context)
    pairs, sizes = queue_pairs(target.outputs), depths(target)
    with Selection(target, pairs, Filter(), "reading") as found:
        groups = group(found)
    queues = [
        DeadLetters(
            dead_letter_queue=name_of(pair.dead_letter_url),
            queue=name_of(pair.source_url) if pair.source_url else None,
            messages=sizes[name_of(pair.dead_letter_url)],
            groups=tuple(each for each in groups if each.queue == pair.name),
        )
        for pair in pairs
    ]
    total = sum(queue.messages.total for queue in queues if queue.queue)
    listed = DeadLetterList(total=total, queues=queues)
    emit(listed) if as_json else show_list(listed)


@app.command()
@with_filter
def peek(
    context: typer.Context,
    queue: QueueArgument = None,
    *,
    wanted: Filter,
    as_json: JsonOption = False,
) -> None:
    """Show dead letters: the reason, the log of the last attempt, and the body.

    It shows 10, unless --most says otherwise. The messages stay in their queues, and other readers
    can receive them again at once.
    """
    target = target_of(context)
    wanted = replace(wanted, most=wanted.most or PEEKED)
    with Selection(target, _pairs(target, queue), wanted, "reading") as found:
        letters = tuple(each.model_copy(update={"body": decode(each.body)}) for each in found)
    _check_found(wanted, letters)
    emit(PeekedLetters(letters=letters)) if as_json else show_letters(letters)


@app.command()
@with_filter
def replay(
    context: typer.Context,
    queue: QueueArgument = None,
    *,
    wanted: Filter,
    rate: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", min=0.1, help="At most this number of messages per second."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show them; send nothing.")] = False,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Send those of a file of `plays dlq save`."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters back to their queues; for failed polls, poll their listeners again.

    A dead letter is deleted only after it is sent, so Ctrl-C loses none, and a message that is sent
    twice changes nothing. The command sends at most as many messages as there are at its start, so
    that a message that fails again is not sent in a loop. On AWS, without a filter and without
    --rate, SQS itself moves all messages of a queue. The exit code is 1 if another reader holds
    every dead letter.
    """
    target = target_of(context)
    pairs, by_sqs, moved = _pairs(target, queue), list[QueuePair](), 0
    if file:
        sent = _matching(read_file(file), pairs, wanted)
        sender = Sender(target, rate)
        for letter in [] if dry_run else sent:
            sender.send(letter)
    elif dry_run:
        with Selection(target, pairs, wanted, "reading") as found:
            sent = [letter.summary() for letter in found]
    else:
        if wanted.is_empty and not (rate or target.state):
            by_sqs = [pair for pair in pairs if pair.source_url]
        moved = sum(move_all(target, pair) for pair in by_sqs)
        sent = send_back(target, [pair for pair in pairs if pair not in by_sqs], wanted, rate)
    replayed = 0 if dry_run else moved + len(sent)
    _check_found(wanted, sent)
    remaining = sum(depth(target.client("sqs"), pair.dead_letter_url).total for pair in pairs)
    result = Replay(replayed=replayed, remaining=remaining, groups=group(sent))
    if as_json:
        emit(result)
    elif dry_run:
        show_groups(result.groups)
    else:
        left = f"; {remaining:,} remain" if remaining else ""
        show(f"{counted(replayed)} sent back{left}")
    if wanted.is_empty and remaining and not sent and not replayed:
        raise BadResultError(
            f"none of the {remaining:,} dead letters is available, because another reader has "
            f"received them: run `plays dlq replay` again after {VISIBILITY_TIMEOUT_S} s"
        )


@app.command()
def edit(
    context: typer.Context,
    message: Annotated[
        str, typer.Argument(metavar="ID", help="The message's id, or the beginning of it.")
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Open the body of a dead letter in $EDITOR, and send what you save back to its queue.

    A body that the queue's Lambda function could not read is refused with the reasons; the dead
    letter then stays as it was.
    """
    target = target_of(context)
    pairs, wanted = queue_pairs(target.outputs), Filter(ids=(message,))
    with Selection(target, pairs, wanted, "reading", explains=False) as found:
        letters = list(found)
    _check_found(wanted, letters)
    letter = letters[0]
    if len(letters) > 1:
        raise CommandError(f"{len(letters)} ids begin with {message}: type more of the id")
    if letter.queue == "failed-ticks":
        raise CommandError("a failed poll has nothing to edit: `plays dlq replay` polls again")
    body = edit_body(letter, target.output("ArchiveBucket"))
    sent = []
    if body:
        pairs, wanted = _pairs(target, letter.queue), Filter(ids=(letter.id,))
        sent = send_back(target, pairs, wanted, body=body)
        _check_found(wanted, sent)
    remaining = sum(depth(target.client("sqs"), pair.dead_letter_url).total for pair in pairs)
    result = Replay(replayed=len(sent), remaining=remaining, groups=group(sent))
    line = f"sent back to {letter.queue}" if sent else "was not changed, so it is not sent"
    emit(result) if as_json else show(f"{letter.id} {line}")


@app.command()
@with_filter
def save(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, in JSON Lines.")],
    queue: QueueArgument = None,
    *,
    wanted: Filter,
    as_json: JsonOption = False,
) -> None:
    """Write dead letters to a file, with their reasons; they stay in their queues.

    `plays dlq replay --from FILE` sends the messages in that file back.
    """
    target = target_of(context)
    if file.exists():
        raise CommandError(f"{file} exists: name a new file")
    saved = []
    with (
        written_whole(file, force=False) as path,
        path.open("w", encoding="utf-8") as lines,
        Selection(target, _pairs(target, queue), wanted, "saving") as found,
    ):
        for letter in found:
            lines.write(letter.model_dump_json() + "\n")
            saved.append(letter.summary())
        _check_found(wanted, saved)
    result = Kept(place=str(file), kept=len(saved), groups=group(saved))
    emit(result) if as_json else show(f"{counted(result.kept)} written to {file}")


@app.command()
@with_filter
def purge(
    context: typer.Context,
    queue: QueueArgument = None,
    *,
    wanted: Filter,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete dead letters that can never be loaded, after you confirm it.

    Each is first stored in the archive, below dead-letters/, in the format of `plays dlq save`.
    """
    target = target_of(context)
    pairs, archive = _pairs(target, queue), DeadLetterArchive(target)
    with Selection(target, pairs, wanted, "reading") as found:
        letters = [letter.summary() for letter in found]
    _check_found(wanted, letters)
    purged = []
    if letters:
        if not as_json:
            show_groups(group(letters))
        what = f"{counted(len(letters))} will be stored below {archive.place}, then deleted"
        confirm_by_name(what, "purge", yes=yes)
        agreed = Filter(ids=tuple(letter.id for letter in letters))
        with Selection(target, pairs, agreed, "purging") as found:
            for letter in found:
                archive.keep(letter)
                found.delete(letter)
                purged.append(letter.summary())
    result = Kept(place=archive.place, kept=len(purged), groups=group(purged))
    emit(result) if as_json else show(f"{counted(result.kept)} deleted")


def _pairs(target: Target, queue: str | None) -> list[QueuePair]:
    pairs = queue_pairs(target.outputs)
    return [find_pair(pairs, queue)] if queue else pairs


def _check_found(wanted: Filter, found: tuple[DeadLetter, ...] | list[DeadLetter]) -> None:
    if wanted.ids and not found:
        raise CommandError(
            f"no dead letter {' or '.join(wanted.ids)} is available: it was replayed or purged, or "
            "another reader holds it now. `plays dlq peek` shows the ids"
        )


def _matching(
    letters: list[DeadLetter], pairs: list[QueuePair], wanted: Filter
) -> list[DeadLetter]:
    names, now = {pair.name for pair in pairs}, datetime.now(UTC)
    found = [each for each in letters if each.queue in names and wanted.matches(each, now)]
    return found[: wanted.most]
