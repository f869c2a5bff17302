"""Keep simulated plays of a local cloud apart from a person's own.

Once mixed in one listener's history they cannot be separated, so a command that would mix them asks
for confirmation.
"""

from cli.confirm import confirm
from cli.output import note
from cli.target import Target
from infra.local.memory import Memory
from infra.local.state import local_home
from shared.archive import upload_key

ADVICE = (
    "To keep them apart: `plays local reset` (deletes everything in this local cloud), then "
    "`plays local up --empty`, which adds no simulated plays"
)


def simulated_listeners(target: Target) -> frozenset[str]:
    """Return the listeners with simulated plays, stored or in transit; none on AWS."""
    return Memory.load(local_home()).simulated if target.state else frozenset()


def remember_simulated(target: Target, listener: str) -> None:
    """If the simulator is polled, record that a listener gets simulated plays."""
    if target.state and target.state.simulated:
        memory, home = Memory.load(local_home()), local_home()
        memory.model_copy(update={"simulated": memory.simulated | {listener}}).save(home)


def forget_simulated(target: Target, listener: str) -> None:
    """Record that a removed listener has no simulated plays any more."""
    if target.state:
        memory, home = Memory.load(local_home()), local_home()
        memory.model_copy(update={"simulated": memory.simulated - {listener}}).save(home)


def confirm_upload(target: Target, listener: str, *, yes: bool) -> None:
    """Ask before an upload adds real plays to simulated ones.

    Raises:
        CommandError: The person declines, or there is no terminal to ask on.
    """
    simulated = simulated_listeners(target)
    if listener in simulated:
        confirm(
            f"{listener} has simulated plays here, and this upload would mix yours with them",
            ADVICE,
            yes=yes,
        )
    elif simulated:
        others = ", ".join(sorted(simulated))
        note(f"This local cloud also holds simulated plays (of {others}), but none of {listener}.")


def confirm_poll(target: Target, listener: str, *, yes: bool) -> None:
    """Ask before a poll adds simulated plays to a listener who has, or will have, real ones.

    Raises:
        CommandError: The person declines, or there is no terminal to ask on.
    """
    if target.state is None or not target.state.simulated:
        return
    memory = Memory.load(local_home())
    if listener not in memory.simulated and (memory.empty or _has_uploads(target, listener)):
        confirm(
            "this local cloud polls a simulated Spotify, and the poll would add simulated plays "
            f"to those of {listener}",
            "`plays login` switches to the real Spotify.",
            yes=yes,
        )


def _has_uploads(target: Target, listener: str) -> bool:
    """True if a listener has uploads, the only real plays in a cloud that polls the simulator."""
    found = target.client("s3").list_objects_v2(
        Bucket=target.output("ArchiveBucket"), Prefix=upload_key(listener, ""), MaxKeys=1
    )
    return bool(found["KeyCount"])
