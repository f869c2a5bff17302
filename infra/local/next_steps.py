"""The lines, printed at the end of a start, that name the commands to use next."""

from infra.local.memory import Memory
from infra.local.run_options import RunOptions

NEXT = ("status", "upload my_spotify_data.zip", "login")
TO_SIMULATOR = ("poll --wait", "local scenario")
OWN_PLAYS = (
    "for your own plays: `.venv/bin/plays login --start-over` (deletes all that is in this local "
    "cloud once you have agreed at Spotify); for an export alone see README, With your own plays"
)


def next_steps(memory: Memory, options: RunOptions) -> tuple[str, ...]:
    """Return lines that name the commands that work now.

    Args:
        memory: The memory of the home directory; it names the listeners with simulated plays.
        options: The options of this run; they decide whether a simulated Spotify is polled.
    """
    commands = NEXT
    if memory.simulated:
        commands = ("status", *(TO_SIMULATOR if options.simulated_listener else ()))
    line = f"next: {', '.join(f'`.venv/bin/plays {words}`' for words in commands)}"
    return (line, OWN_PLAYS) if memory.simulated else (line,)
