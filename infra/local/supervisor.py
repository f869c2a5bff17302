"""The process that runs a local cloud: starts everything, watches it, stops everything.

`python -m infra.local.supervisor HOME OPTIONS` is what `cloud.up` runs in the background.
"""

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from infra.cdk.config import PipelineConfig
from infra.cdk.database import DATABASE
from infra.local import lookups, time_zone
from infra.local.arrivals import Arrivals, count_plays
from infra.local.aws import client
from infra.local.deploy import BOOTSTRAP_STACK, Cdk, enable_consumers
from infra.local.environment import REGION, SECRET_KEY
from infra.local.home import prepare
from infra.local.memory import Memory
from infra.local.next_steps import next_steps
from infra.local.parts import Parts
from infra.local.pidfile import held, holder
from infra.local.ports import HOST, choose, no_other_start
from infra.local.processes import deferred, interrupted_once
from infra.local.run_options import RunOptions, configuration
from infra.local.sample_history import write_history_zip
from infra.local.state import FILE, SUPERVISOR, CloudState, LocalCloudError
from shared.archive import DEFAULT_LISTENER, upload_key
from shared.errors import HistoryError

Say = Callable[[str], None]

WATCH_S = 3
"""Seconds between two checks of the servers, and between two queries for new plays."""
POSTGRES_ENDS, POSTGRES_ENDS_WITHIN_S = 6, 3_600
"""A Postgres that ends so often in this time does not recover by a restart."""
SAMPLE_PLAYS = 5_000


def run(home: Path, options: RunOptions, say: Say) -> None:
    """Run a local cloud until SIGINT or SIGTERM; its data stays.

    Raises:
        LocalCloudError: A local cloud already runs in this home directory, or a server failed.
    """
    with ExitStack() as stack:
        # Only the owner may read any new file, because CDK's also contain the administrator's key.
        stack.callback(os.umask, os.umask(0o077))
        home.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(held(home / SUPERVISOR))
        except BlockingIOError:
            raise already_running(home) from None
        ignore_signals = stack.enter_context(interrupted_once())
        supervisor = Supervisor(home, options, _without_failing(say))
        stack.callback(supervisor.stop)
        stack.callback(ignore_signals)
        stack.enter_context(suppress(KeyboardInterrupt))
        while True:
            supervisor.start()
            supervisor.watch()


def already_running(home: Path) -> LocalCloudError:
    """Return the error that says that a local cloud already runs in a home directory."""
    pid = holder(home / SUPERVISOR)
    return LocalCloudError(
        f"a local cloud already runs in {home} (pid {pid}): stop it with `plays local down`"
    )


def _without_failing(say: Say) -> Say:
    """Return a `say` that does not fail if the terminal has been closed."""

    def say_if_possible(text: str) -> None:
        with suppress(OSError):
            say(text)

    return say_if_possible


class Supervisor:
    """One run of a local cloud."""

    def __init__(self, home: Path, options: RunOptions, say: Say) -> None:
        self._home = home
        self._given = options
        self._say_plainly = say
        self._started_at = time.monotonic()
        self._parts = Parts(home)
        self._postgres_ended_at = deque[float](maxlen=POSTGRES_ENDS)
        self._memory = Memory.load(home)

    def start(self) -> None:
        """Start the servers, deploy the pipeline to them, and write the state file `cloud.json`.

        Raises:
            LocalCloudError: A server does not start, or a release from before 2026-11-29 created
                the home directory.
        """
        (self._home / FILE).unlink(missing_ok=True)
        self._parts.stop()
        # Use a new object, because simulators that are not started again would count as ended.
        self._parts = Parts(self._home)
        self._memory = prepare(self._home, self._given)
        if self._parts.ministack.has_crashed:
            self._remember(crashed=True)
        self._start_servers()
        context = self._options.deployment(self._memory.ports)
        config = configuration(context)
        outputs = self._deploy(config, context)
        time_zone.set_default(
            self._memory.aws, outputs["DeriveFunction"], self._given.time_zone, self._say
        )
        bucket = outputs["ArchiveBucket"]
        if self._memory.crashed:
            self._say("MiniStack ended without saving its queues: messages in them are lost, and")
            self._say("`plays rebuild --wait` sends them again from the archive")
            self._remember(crashed=False)
        self._send_sample(bucket)
        state = self._state(bucket, context)
        self._say_ready(state)
        # Last, because its file means that the local cloud is ready.
        with deferred():
            state.save(self._home)

    def watch(self) -> None:
        """Check the servers and report new plays, until a command asks for a restart.

        Raises:
            LocalCloudError: A server ended, or Postgres ended and does not start again.
        """
        arrivals = Arrivals(self._memory.database)
        # `cloud.turn_to_real_spotify` and `cloud.change_listeners` remove the file.
        while (self._home / FILE).exists():
            for failure in self._parts.failures():
                raise LocalCloudError(failure)
            if self._parts.has_postgres_ended:
                self._restart_postgres()
            if news := arrivals.news():
                self._say(news)
            time.sleep(WATCH_S)
        changed = Memory.load(self._home)
        # `plays login --start-over` deletes the deployment, also of a cloud with the real Spotify.
        if changed.real_spotify == self._memory.real_spotify and changed.deployed:
            self._say(f"restarting, to deploy the listeners {', '.join(changed.listeners)}")
            # Those of the command line were the start of this list.
            context = {k: v for k, v in self._given.context.items() if k != "listeners"}
            self._given = self._given.model_copy(update={"context": context})
            return
        self._say("restarting, to poll the real Spotify from now on")
        # A person who logged in wants polls, even if the cloud was started with --empty.
        self._given = self._given.model_copy(update={"empty": False})

    def _restart_postgres(self) -> None:
        now, ends = time.monotonic(), self._postgres_ended_at
        ends.append(now)
        if len(ends) == POSTGRES_ENDS and now - ends[0] < POSTGRES_ENDS_WITHIN_S:
            raise LocalCloudError(
                "Postgres keeps ending, so the local cloud stops: `plays logs postgres` says why"
            )
        self._say("Postgres ended: starting it again; `plays logs postgres` says why it ended")
        self._parts.start_postgres(self._memory)
        self._say("Postgres is back: plays waiting in the queues load now")

    def stop(self) -> None:
        """Stop all servers, even if their start was interrupted."""
        self._say("stopping; the data stays")
        (self._home / FILE).unlink(missing_ok=True)
        # Read it again, because commands change the memory while the servers run.
        self._memory = Memory.load(self._home)
        # Count while Postgres runs, because `plays local reset` later shows what it would delete.
        plays = count_plays(self._memory.database)
        if plays is not None:
            self._remember(plays=plays)
        self._parts.stop()
        self._say("stopped")

    def _start_servers(self) -> None:
        with no_other_start():
            if self._options.empty and not self._given.empty:
                self._say("this local cloud is for your own plays: no simulated plays are added")
            if self._given.empty and self._memory.simulated:
                self._say(
                    "this local cloud holds simulated plays, or soon will: --empty does not remove "
                    "them; `plays local reset` deletes everything in it"
                )
            self._remember(ports=choose(self._memory.ports, self._say))
            simulators = self._options.simulators
            servers = ("MiniStack", "Postgres", *(["the simulators"] if simulators else []))
            self._say(f"starting {', '.join(servers)} and the page")
            self._parts.start(self._memory, simulators=simulators)

    def _deploy(self, config: PipelineConfig, context: dict[str, str]) -> dict[str, str]:
        aws, ministack = self._memory.aws, self._parts.ministack
        cdk = Cdk(self._home, aws)
        if not cdk.has_stack(BOOTSTRAP_STACK):
            self._say("cdk bootstrap")
            cdk.bootstrap()
        lookups.put_database(config, aws, self._memory)
        logins = lookups.stored_logins(config, aws)
        self._say("cdk deploy")
        outputs = cdk.deploy(context)
        lookups.restore_logins(logins, aws)
        if self._options.simulated_listener:
            lookups.put_simulated_login(config, aws)
        else:
            lookups.drop_simulated_login(config, aws)
        if not self._memory.deployed:
            # Otherwise a crash would lose the stack, and a new one would have another archive.
            self._say("saving the deployment")
            ministack.restart()
            self._remember(deployed=True)
        ministack.deployed()
        enable_consumers(aws)
        return outputs

    def _send_sample(self, bucket: str) -> None:
        if self._options.empty or not self._options.simulated_listener or self._memory.sampled:
            return
        if DEFAULT_LISTENER not in self._memory.simulated:
            return
        self._say(f"uploading a sample history of {SAMPLE_PLAYS} plays")
        path = self._home / "sample-history.zip"
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        write_history_zip(path, plays=SAMPLE_PLAYS, seed=1, until=today)
        key = upload_key(DEFAULT_LISTENER, path.name)
        client("s3", self._memory.aws).upload_file(str(path), bucket, key)
        self._remember(sampled=True)

    def _say_ready(self, state: CloudState) -> None:
        ports = self._memory.ports
        self._say(f"ready: AWS at {ports.aws_endpoint}, Postgres on port {ports.postgres}")
        for line in next_steps(self._memory, self._options):
            self._say(line)
        self._say(f"the database, read-only: {state.database_url}")
        self._say(f"its reporting views, for other tools: {state.report_url}")
        self._say(f"the page: {state.page_url}")

    def _state(self, bucket: str, context: dict[str, str]) -> CloudState:
        memory = self._memory
        database = f"{HOST}:{memory.ports.postgres}/{DATABASE}"
        turned = self._options.at_real_spotify().deployment(memory.ports)
        return CloudState(
            pid=os.getpid(),
            aws_endpoint=memory.aws.endpoint,
            region=REGION,
            access_key=memory.access_key,
            secret_key=SECRET_KEY,
            bucket=bucket,
            database_url=f"postgresql://reader:{memory.reader_password}@{database}",
            report_url=f"postgresql://report_reader:{memory.report_reader_password}@{database}",
            spotify_api_url=context["spotify_api_url"],
            spotify_accounts_url=context["spotify_accounts_url"],
            reccobeats_url=context["reccobeats_url"],
            simulated=self._options.simulated_listener,
            real_spotify_api_url=turned["spotify_api_url"],
            real_spotify_accounts_url=turned["spotify_accounts_url"],
            page_url=self._memory.ports.page_url,
            log_dir=self._home / "logs",
        )

    @property
    def _options(self) -> RunOptions:
        return self._given.within(self._memory)

    def _remember(self, **changes: object) -> None:
        self._memory = self._memory.model_copy(update=changes)
        # Deferred, because Pydantic turns a KeyboardInterrupt into an error of its own.
        with deferred():
            self._memory.save(self._home)

    def _say(self, text: str) -> None:
        self._say_plainly(f"{time.monotonic() - self._started_at:5.1f} s  {text}")


def main() -> None:
    """Run a local cloud in the background; the caller redirects the output to a log."""
    home, options = Path(sys.argv[1]), RunOptions.model_validate_json(sys.argv[2])
    try:
        run(home, options, lambda text: print(text, flush=True))  # noqa: T201 - its log
    except HistoryError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
