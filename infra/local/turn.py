"""Turning a local cloud from the simulated Spotify to the real one, as `plays login` asks.

Simulated plays and a person's own must never be in one history: what is simulated is deleted
first, or there must be none. Whoever asks leaves a file in the home; the supervisor, which alone
stops and starts servers, does it and takes the file away. A home remembers that it has turned.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from infra.local.data import INGESTED, delete
from infra.local.memory import Memory
from infra.local.state import write_private

FILE = "turn.json"


class Turn(BaseModel):
    """What is asked of the supervisor. `start_over` deletes all that was ingested."""

    model_config = ConfigDict(frozen=True)

    start_over: bool


def ask_for(home: Path, *, start_over: bool) -> None:
    """Ask the supervisor of a home to turn to the real Spotify."""
    write_private(home / FILE, Turn(start_over=start_over).model_dump_json())


def is_asked_for(home: Path) -> bool:
    """True if a turn is asked for."""
    return (home / FILE).exists()


def deletes_data(home: Path) -> bool:
    """True if a turn is asked for that deletes all plays."""
    asked = _asked(home)
    return asked is not None and asked.start_over


def obey(home: Path, memory: Memory) -> Memory:
    """Do what was asked, if anything was, while no server runs; give what is remembered now.

    A crash in between does it again at the next start: the file goes last.
    """
    asked = _asked(home)
    if asked is None:
        return memory
    if asked.start_over:
        delete(home, INGESTED)
        gone = {"sampled": False, "deployed": False, "crashed": False, "simulated": frozenset()}
        memory = memory.model_copy(update=gone)
    memory = memory.model_copy(update={"real_spotify": True})
    memory.save(home)
    (home / FILE).unlink()
    return memory


def _asked(home: Path) -> Turn | None:
    try:
        return Turn.model_validate_json((home / FILE).read_bytes())
    except FileNotFoundError:
        return None
