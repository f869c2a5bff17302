"""The lines of a start that name the commands to use next."""

NEXT = ("status", "upload my_spotify_data.zip", "login")
TO_SIMULATOR = ("poll --wait", "local scenario")
OWN_PLAYS = (
    "for your own plays: `.venv/bin/plays login --start-over` (deletes all that is in this local "
    "cloud once you have agreed at Spotify); for an export alone see README, With your own plays"
)


def next_steps(*, holds_simulated: bool, polls_simulator: bool) -> tuple[str, ...]:
    """Return lines that name the commands that work now.

    Args:
        holds_simulated: Whether simulated plays are in this home, or soon will be.
        polls_simulator: Whether the Spotify that is polled is simulated.
    """
    commands = (
        NEXT if not holds_simulated else ("status", *(TO_SIMULATOR if polls_simulator else ()))
    )
    line = f"next: {', '.join(f'`.venv/bin/plays {words}`' for words in commands)}"
    return (line, OWN_PLAYS) if holds_simulated else (line,)
