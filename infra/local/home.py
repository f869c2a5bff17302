"""Prepare a home before its servers start: keep or delete its data."""

from pathlib import Path

from infra.local.memory import INGESTED, Memory, delete
from infra.local.run_options import RunOptions, configuration
from infra.local.state import LocalCloudError
from shared.archive import DEFAULT_LISTENER

FOLDERS = ("logs", "cdk", "cdk.out")


def prepare(home: Path, options: RunOptions) -> Memory:
    """Make the folders of a home, delete an unfinished deployment's data, and return its memory.

    The result also names the listener who gets simulated plays from this start on.

    Raises:
        LocalCloudError: The home is from a release before 2026-11-29, or this start would add
            simulated plays to a person's own.
        SettingsError: A value of the configuration is unknown or wrong.
    """
    memory = Memory.load(home)
    if memory.is_outdated:
        raise LocalCloudError(
            f"{home} was made by an earlier release, which this one cannot continue: use that "
            "release, or delete all plays and logins in it with `plays local reset`"
        )
    for name in FOLDERS:
        (home / name).mkdir(exist_ok=True)
        # Folders from earlier releases were open to other users.
        (home / name).chmod(0o700)
    changes: dict[str, object] = {}
    holds_own = memory.deployed and memory.empty and not memory.simulated
    if not memory.deployed:
        delete(home, INGESTED)
        changes = {"empty": options.empty, "simulated": frozenset(), "sampled": False}
    memory = memory.model_copy(update=changes)
    if not (options.simulated_listener or memory.simulated):
        memory = memory.model_copy(update={"real_spotify": True})
    if _adds_simulated(options.within(memory), memory):
        if holds_own:
            raise LocalCloudError(
                f"{home} is for your own plays, and polling_enabled would add simulated ones: "
                "leave it out, or name another folder by PLAYS_LOCAL_DIR"
            )
        simulated = memory.simulated | {DEFAULT_LISTENER}
        memory = memory.model_copy(update={"simulated": simulated})
    memory.save(home)
    return memory


def _adds_simulated(options: RunOptions, memory: Memory) -> bool:
    polls = configuration(options.deployment(memory.ports)).polling_enabled
    return options.simulated_listener and (polls or not options.empty)
