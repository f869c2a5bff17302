"""Find the problems in a status that need a person, each with the next command; pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from cli.deployment_status import Status
from cli.local_time import length, local
from cli.output import Document

LAST_DAYS = 30
"""Ask for a new login from this many days before its expiry on, as the alarms do."""
STALE = timedelta(hours=1)
"""An hour without an answer to a poll is a problem: polls run at least every 20 minutes."""
WAITED_TOO_LONG_S = 3_600
"""A queue counts as stuck if its oldest message is older than this. A function retries within 90
minutes."""
LEAST_FREE_BYTES = 1_000_000_000


class Problem(Document):
    """One problem that a person must solve."""

    severity: Literal["critical", "warning"]
    """Critical: plays are not collected or not loaded until a person acts."""
    message: str
    next: str
    """The command that helps next, or the section of the documentation."""


class Judgement(Document):
    """The verdict on a status, and its problems."""

    verdict: Literal["ok", "warning", "critical"]
    problems: tuple[Problem, ...]
    """The worst first."""

    @property
    def exit_code(self) -> int:
        """0 if all is well, 1 for a warning, 2 if something is critical."""
        return ("ok", "warning", "critical").index(self.verdict)


def judge(found: Status, now: datetime) -> Judgement:
    """Return the verdict on a status, and the problems in it that need a person."""
    problems = sorted(_problems(found, now), key=lambda problem: problem.severity)
    return Judgement(
        verdict=problems[0].severity if problems else "ok",
        problems=tuple(problems),
    )


def _problems(found: Status, now: datetime) -> Iterator[Problem]:
    yield from _of_postgres(found)
    for listener in found.token_days_left:
        yield from _of_listener(found, listener, now)
    for listener in found.removed_listeners:
        yield _warning(
            f"{listener} is not a listener any more, but some of their plays, files or login is "
            "still stored.",
            f"plays listener remove {listener}",
        )
    yield from _of_queues(found)
    yield from _of_uploads(found)
    yield from _of_gaps(found)
    yield from _of_features(found, now)
    yield from _of_host(found)


def _of_postgres(found: Status) -> Iterator[Problem]:
    if found.postgres_error:
        # The local cloud starts a Postgres that ended again; one that hangs must be stopped.
        restart = "wait a minute, or restart it: plays local down, then make run"
        following = restart if found.target == "local" else "docs/operate.md, The host"
        yield _critical(f"{found.postgres_error}. New plays wait in the queues.", following)


def _of_listener(found: Status, listener: str, now: datetime) -> Iterator[Problem]:
    login, who = f"plays login --listener {listener}", f"listener {listener}"
    # The simulated Spotify refuses only because a scenario of it is on.
    normal = "plays local scenario normal" if found.simulated else None
    days, refused = found.token_days_left[listener], found.needs_login_since[listener]
    error, blocked = found.last_error[listener], found.blocked_until[listener]
    answered = found.answered_at[listener]
    if days is None:
        yield _warning(f"Listener {listener} is not logged in, so no new play is collected.", login)
        return
    if refused:
        since = f"Spotify has refused the login of {who} since {local(refused)}"
        yield _critical(f"{since}, so no new play is collected.", normal or login)
    elif days <= LAST_DAYS:
        left = f"expires in {length(days * 86_400)}" if days else "has less than a day left"
        yield _warning(f"The login of {who} {left}.", login)
    if error and error.kind == "forbidden":
        yield _critical(
            f"Spotify forbids the app or the account of {who}: {error.message}",
            normal or "docs/operate.md, SpotifyForbids",
        )
    elif blocked:
        yield _warning(
            f"Spotify has rate-limited the app of {who} until {local(blocked)}. "
            "Polls continue after that.",
            normal or "docs/operate.md, A long rate limit",
        )
    elif answered and now - answered > STALE and found.polls_scheduled and not refused:
        why = f": {error.message}" if error else "."
        yield _critical(
            f"Spotify has answered no poll for {who} since {local(answered)}{why}",
            "plays logs collector",
        )
    elif error and error.kind == "failed" and not answered:
        yield _critical(
            f"Spotify has answered no poll for {who} yet: {error.message}", "plays logs collector"
        )
    if unknown := found.block_unknown[listener]:
        yield _warning(
            f"The rate limit of the app of {who} is unknown: {unknown}", "plays logs collector"
        )


def _of_queues(found: Status) -> Iterator[Problem]:
    if found.dead_letters:
        replays = [
            f"`plays dlq replay {name.removesuffix('-dlq')}`"
            for name, depth in found.queues.items()
            if name.endswith("-dlq") and depth.total
        ]
        yield _critical(
            f"{_number(found.dead_letters, 'dead letter')}: their plays or uploads are not loaded. "
            f"Mend the cause, then {' and '.join(replays)}.",
            "plays dlq list",
        )
    for name, depth in found.queues.items():
        # Old dead letters are reported above, and the next poll replaces a failed one.
        if name.endswith(("-dlq", "failed-ticks")) or not depth.oldest_age_s:
            continue
        if depth.oldest_age_s > WAITED_TOO_LONG_S:
            yield _warning(
                f"A message in {name} has waited for {length(depth.oldest_age_s)}.",
                "plays logs --errors",
            )


def _of_uploads(found: Status) -> Iterator[Problem]:
    if not found.uploads or not (newest := found.uploads.newest_problem):
        return
    states = ("stuck", "failed", "partly_loaded")
    counts = {state.replace("_", " "): getattr(found.uploads, state) for state in states}
    numbers = " and ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    problem = _critical if found.uploads.stuck else _warning
    yield problem(
        f"Uploads: {numbers}. The newest is {newest.file} of {newest.listener}: {newest.reason}",
        f"plays uploads show {newest.number}",
    )


def _of_gaps(found: Status) -> Iterator[Problem]:
    # No export covers the gaps of the simulated listener.
    if not found.open_gaps or not found.gaps or found.simulated:
        return
    newest = found.gaps[0]
    end = local(newest.ended_at) if newest.ended_at else "now"
    yield _warning(
        f"Plays may be missing: {_number(found.open_gaps, 'open gap')}, the newest of "
        f"listener {newest.listener} from {local(newest.started_at)} to {end}: {newest.reason}. "
        "An export of that time closes it.",
        f"plays upload FILE --listener {newest.listener}",
    )


def _of_features(found: Status, now: datetime) -> Iterator[Problem]:
    waiting, since = found.pending_features, found.features_failing_since
    # The pipeline asks every hour; two missed hours are no coincidence.
    if since and now - since > 2 * STALE:
        tracks = _number(waiting.source_failed, "track")
        yield _warning(
            f"The source of audio features has failed for {tracks} since {local(since)}. Their "
            "plays are loaded.",
            "plays heal",
        )
    elif waiting.due_at and now - waiting.due_at > 2 * STALE:
        yield _warning(
            f"{_number(waiting.tracks, 'track')} wait for audio features, the first one since "
            f"{local(waiting.due_at)}.",
            "plays heal",
        )


def _of_host(found: Status) -> Iterator[Problem]:
    for alarm in found.alarms:
        yield _warning(
            f"The alarm {alarm.name} is on since {local(alarm.since)}: {alarm.description}",
            f"docs/operate.md, {alarm.name}",
        )
    free = found.free_bytes
    if free is not None and free < LEAST_FREE_BYTES:
        yield _critical(
            f"The disk has {free // 1_000_000} MB left. When it is full, Postgres stops and no "
            "play is stored.",
            "df -h .local, and delete what you do not need",
        )


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def _critical(message: str, following: str) -> Problem:
    return Problem(severity="critical", message=message, next=following)


def _warning(message: str, following: str) -> Problem:
    return Problem(severity="warning", message=message, next=following)
