"""Prepare the home directory of a local cloud before its servers start."""

from pathlib import Path

from infra.local.memory import INGESTED, Memory, delete
from infra.local.run_options import RunOptions, configuration
from infra.local.state import LocalCloudError
from shared.archive import DEFAULT_LISTENER

FOLDERS = ("logs", "cdk", "cdk.out")


def prepare(home: Path, options: RunOptions) -> Memory:
    """Create the folders of a home directory, and return its stored settings (`memory.json`).

    Delete the data of a first deployment that was interrupted. If this start adds simulated plays,
    the settings also name their listener.

    Raises:
        LocalCloudError: A release from before 2026-11-29 created the home directory, or this start
            would add simulated plays to a person's own.
        SettingsError: A value of the configuration is unknown or wrong.
    """
    memory = Memory.load(home)
    if memory.is_outdated:
        raise LocalCloudError(
            f"{home} was created by an earlier release, and this one cannot use its data: use that "
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
                f"{home} holds your own plays, and polling_enabled would add simulated ones: "
                "leave polling_enabled out, or set PLAYS_LOCAL_DIR to another folder"
            )
        simulated = memory.simulated | {DEFAULT_LISTENER}
        memory = memory.model_copy(update={"simulated": simulated})
    memory.save(home)
    return memory


def _adds_simulated(options: RunOptions, memory: Memory) -> bool:
    """True if this start adds simulated plays, which belong to the default listener."""
    config = configuration(options.deployment(memory.ports))
    is_fed = config.polling_enabled or not options.empty
    return options.simulated_listener and is_fed and DEFAULT_LISTENER in config.listeners
