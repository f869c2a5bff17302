"""The export of what the simulated listener played: the same plays that the web API shows."""

from datetime import datetime

from infra.local.catalogue import dice
from infra.local.sample_history.records import Record, record
from infra.local.sample_history.rows import Row, Session
from infra.local.simulators.listener import Listened, Listener

# An export's ts lies a little off the API's `played_at`; how far, nobody has published.
_OFF_S = (-2, 3)


def export_of(listener: Listener, start: datetime, end: datetime) -> list[Record]:
    """Tell the listener's plays as an export does.

    Args:
        listener: The one that the simulator follows (its seed tells who).
        start: Plays that ended after it are told.
        end: Plays that ended later are not.

    Returns:
        One record for each play that the web API showed in that time, with the true `ms_played`
        and a `ts` within 3 s of `played_at`; and the skips below 4 s that it never shows. Oldest
        first.
    """
    rows = [_row(play) for play in listener.plays_between(start, end)]
    return [record(row, "audio-2025") for row in sorted(rows, key=lambda row: row.ended_s)]


def _row(play: Listened) -> Row:
    """Write down a play."""
    ended_s = play.ended_at.timestamp()
    end = "trackdone" if play.shown else "fwdbtn"
    return Row(
        ended_s=int(ended_s) + dice("off", ended_s).randint(*_OFF_S),
        kind="track",
        number=play.track_number,
        ms_played=play.ms_played,
        reason_start="clickrow",
        reason_end=end,
        offline_s=int(play.started_at.timestamp()),
        session=_SESSION,
    )


_SESSION = Session(device=0, country="DE", address=1, shuffle=False, offline=False, incognito=False)
