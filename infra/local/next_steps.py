"""The lines, printed at the end of a start, that name the commands to use next."""

from infra.local.memory import Memory
from infra.local.run_options import RunOptions, configuration
from shared.archive import DEFAULT_LISTENER


def next_steps(memory: Memory, options: RunOptions) -> tuple[str, ...]:
    """Return lines that name the commands that work now.

    Args:
        memory: The local cloud's stored settings; they name the listeners with simulated plays.
        options: The options of this run; they decide whether a simulated Spotify is polled.
    """
    listeners = configuration(options.deployment(memory.ports)).listeners
    # The default listener may have been removed.
    of = "" if DEFAULT_LISTENER in listeners else f" --listener {listeners[0]}"
    if not memory.simulated:
        return (_next("status", f"upload my_spotify_data.zip{of}", f"login{of}"),)
    to_simulator = (f"poll --wait{of}", "local scenario") if options.simulated_listener else ()
    own_plays = (
        f"for your own plays: `.venv/bin/plays login --start-over{of}` (deletes all that is in "
        "this local cloud once you have agreed at Spotify); for an export alone see README, With "
        "your own plays"
    )
    return (_next("status", *to_simulator), own_plays)


def _next(*commands: str) -> str:
    return f"next: {', '.join(f'`.venv/bin/plays {words}`' for words in commands)}"
