"""Which plays of a local cloud are simulated, and keeping them apart from a person's own.

Two lives in one listener's history cannot be told apart again, so each way to mix them asks first.
"""

from cli.confirm import confirm
from cli.output import note
from cli.target import Target
from infra.local.memory import Memory
from infra.local.state import local_home
from shared.archive import upload_key

ADVICE = (
    "To keep them apart: `plays local reset` (deletes all that is in this local cloud), then "
    "`plays local up --empty`, which adds nothing simulated"
)


def simulated_listeners(target: Target) -> frozenset[str]:
    """Return the listeners whose history holds simulated plays, or soon will; none on AWS."""
    return Memory.load(local_home()).simulated if target.state else frozenset()


def remember_simulated(target: Target, listener: str) -> None:
    """Remember that simulated plays of a listener come in, if the simulator is polled."""
    if target.state and target.state.simulated:
        memory, home = Memory.load(local_home()), local_home()
        memory.model_copy(update={"simulated": memory.simulated | {listener}}).save(home)


def confirm_upload(target: Target, listener: str, *, yes: bool) -> None:
    """Ask before a person's own plays go where simulated ones are.

    Raises:
        CommandError: They are not to be mixed, or no one can be asked.
    """
    simulated = simulated_listeners(target)
    if listener in simulated:
        confirm(
            f"{listener} has simulated plays here, and yours would be mixed in", ADVICE, yes=yes
        )
    elif simulated:
        others = ", ".join(sorted(simulated))
        note(f"This local cloud also holds simulated plays, of {others}: {listener} has none.")


def confirm_poll(target: Target, listener: str, *, yes: bool) -> None:
    """Ask before the first simulated plays go where a person's own are.

    Raises:
        CommandError: They are not to be mixed, or no one can be asked.
    """
    if target.state is None or not target.state.simulated:
        return
    # A cloud that polls the simulator has own plays by uploads alone.
    uploads = target.client("s3").list_objects_v2(
        Bucket=target.output("ArchiveBucket"), Prefix=upload_key(listener, ""), MaxKeys=1
    )
    if uploads["KeyCount"] and listener not in simulated_listeners(target):
        confirm(
            "the Spotify that is polled is simulated, and its plays would be mixed with "
            f"{listener}'s own",
            "`plays login` turns to the real Spotify.",
            yes=yes,
        )
