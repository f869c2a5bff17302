"""The process that runs a local cloud: starts everything, watches it, stops everything.

`python -m infra.local.supervisor HOME WISHES` is what `cloud.up` runs in the background.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

from infra.cdk.config import PipelineConfig
from infra.cdk.database import DATABASE
from infra.local import consumers, forgotten, interrupts, lookups, time_zone, turn
from infra.local.arrivals import Arrivals
from infra.local.aws import client
from infra.local.data import DEPLOYMENT, delete
from infra.local.deploy import BOOTSTRAP_STACK, DATA_STACK, STACK, Cdk
from infra.local.ending import end
from infra.local.environment import REGION, SECRET_KEY
from infra.local.memory import Memory
from infra.local.parts import Parts
from infra.local.pidfile import held, holder
from infra.local.ports import HOST, choose, no_other_start
from infra.local.sample_history import write_history_zip
from infra.local.state import FILE, SUPERVISOR, CloudState, LocalCloudError
from infra.local.wishes import Wishes, configuration
from shared.archive import DEFAULT_LISTENER, upload_key
from shared.errors import HistoryError

Say = Callable[[str], None]

FOLDERS = ("logs", "cdk", "cdk.out")
WATCH_S = 1
SAMPLE_PLAYS = 5_000
NEXT = ("status", "upload my_spotify_data.zip", "login")
TO_SIMULATOR = ("poll --wait", "local scenario")
OWN_PLAYS = (
    "for your own plays: `.venv/bin/plays login --start-over` (deletes all that is in this local "
    "cloud once you have agreed at Spotify); for an export alone see README, With your own plays"
)


def run(home: Path, wishes: Wishes, say: Say) -> None:
    """Run a local cloud until SIGINT or SIGTERM; its data stays.

    Raises:
        LocalCloudError: One runs in this home already, or a part does not start, or ended.
    """
    with ExitStack() as stack:
        # What it keeps is the owner's alone. CDK, too, writes down the administrator's key.
        stack.callback(os.umask, os.umask(0o077))
        home.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(held(home / SUPERVISOR))
        except BlockingIOError:
            raise already_running(home) from None
        requests = stack.enter_context(interrupts.heard())
        supervisor = Supervisor(home, wishes, _while_heard(say), requests)
        stack.callback(supervisor.stop)
        # The stop tells of itself.
        stack.enter_context(suppress(KeyboardInterrupt))
        while True:
            supervisor.start()
            supervisor.watch()


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


def already_running(home: Path) -> LocalCloudError:
    """Say that a home is taken."""
    pid = holder(home / SUPERVISOR)
    return LocalCloudError(f"a local cloud runs in {home} already (pid {pid}): `plays local down`")


def _while_heard(say: Say) -> Say:
    """Go on without words where nobody hears them: the terminal may be gone, the work is not."""

    def say_if_heard(text: str) -> None:
        with suppress(OSError):
            say(text)

    return say_if_heard


class Supervisor:
    """One run of a local cloud."""

    def __init__(
        self, home: Path, wishes: Wishes, say: Say, requests: interrupts.Interrupts
    ) -> None:
        self._home = home
        self._requests = requests
        self._wished = wishes
        self._say_plainly = say
        self._started_at = time.monotonic()
        self._parts = Parts(home)
        self._memory = Memory.load(home)
        # What a killed supervisor left behind goes on working, and deploying.
        self._is_feeding = self._parts.ministack.child.is_running
        self._is_changing = self._parts.is_deploying

    def start(self) -> None:
        """Start the servers, deploy the pipeline to them, and tell the world."""
        for name in FOLDERS:
            (self._home / name).mkdir(exist_ok=True)
            # Those of earlier releases were open to other users.
            (self._home / name).chmod(0o700)
        (self._home / FILE).unlink(missing_ok=True)
        self._stop_servers()
        # Simulators that are not started again must not be missed.
        self._parts = Parts(self._home)
        if turn.is_asked_for(self._home):
            # A login is made to be polled.
            self._wished = self._wished.model_copy(update={"empty": False})
        self._memory = turn.obey(self._home, self._memory)
        if not self._memory.deployed:
            self._remember(empty=self._wished.empty, simulated=frozenset())
            # What a first deployment left that was not to its end, and nothing can go on from.
            delete(self._home, DEPLOYMENT)
        if self._parts.ministack.has_forgotten:
            # Its next clean stop would hide that.
            self._remember(crashed=True)
        if not (self._wished.simulated_listener or self._memory.simulated):
            self._remember(real_spotify=True)
        self._start_servers()
        context = self._wishes.deployment(self._memory.ports)
        config = configuration(context)
        if self._wishes.simulated_listener and (config.polling_enabled or not self._wishes.empty):
            self._remember(simulated=self._memory.simulated | {DEFAULT_LISTENER})
        outputs = self._deploy(config, context)
        time_zone.set_default(
            self._memory.aws, outputs["DeriveFunction"], self._wished.time_zone, self._say
        )
        if self._memory.crashed:
            self._remind(outputs)
        self._send_sample(outputs["ArchiveBucket"])
        state = self._state(outputs["ArchiveBucket"], context)
        ports = self._memory.ports
        self._say(f"ready: AWS at {ports.aws_endpoint}, Postgres on port {ports.postgres}")
        for line in next_steps(
            holds_simulated=bool(self._memory.simulated),
            polls_simulator=self._wishes.simulated_listener,
        ):
            self._say(line)
        self._say(f"the database, to read: {state.database_url}")
        self._say(f"its reports, for other tools: {state.report_url}")
        self._say(f"the page: {ports.page_url}")
        # Last: this is what tells others that it is ready.
        state.save(self._home)

    def watch(self) -> None:
        """Look after the servers until another Spotify is asked for; tell of plays that arrive.

        Raises:
            LocalCloudError: One ended by itself.
        """
        arrivals = Arrivals(self._memory.database)
        while not turn.is_asked_for(self._home):
            for failure in self._parts.failures():
                raise LocalCloudError(failure)
            if news := arrivals.news():
                self._say(news)
            time.sleep(WATCH_S)
        self._say("starting anew, to poll the real Spotify from now on")

    def stop(self) -> None:
        """Stop everything, whatever state it is in; an impatient signal only hurries it."""
        self._requests.is_stopping = True
        self._say("stopping; the data stays")
        (self._home / FILE).unlink(missing_ok=True)
        self._stop_servers()
        self._say("stopped")

    def _stop_servers(self) -> None:
        self._memory = end(
            self._home,
            self._parts,
            # Commands add to it while the servers run.
            Memory.load(self._home),
            self._say,
            is_feeding=self._is_feeding,
            is_changing=self._is_changing,
            is_hurried=self._is_hurried,
        )
        # Not before: what is interrupted here is done by the stop that follows.
        self._is_feeding = self._is_changing = False

    def _is_hurried(self) -> bool:
        return self._requests.is_hurried

    def _start_servers(self) -> None:
        with no_other_start():
            if self._wishes.empty and not self._wished.empty:
                self._say("this home is for your own plays: nothing simulated is added to it")
            if self._wished.empty and self._memory.simulated:
                self._say(
                    "this home holds simulated plays already: --empty does not remove them, "
                    "`plays local reset` deletes all that is in it"
                )
            ports = choose(self._memory.ports, self._say)
            self._remember(ports=ports)
            simulators = self._wishes.simulators
            servers = ("MiniStack", "Postgres", *(["the simulators"] if simulators else []))
            self._say(f"starting {', '.join(servers)} and the page")
            self._parts.start(self._memory, simulators=simulators)

    def _deploy(self, config: PipelineConfig, context: dict[str, str]) -> dict[str, str]:
        cdk = Cdk(self._home, self._memory.aws)
        if not cdk.has_stack(BOOTSTRAP_STACK):
            self._say("cdk bootstrap")
            cdk.bootstrap()
        lookups.put_database(config, self._memory.aws, self._memory)
        if cdk.has_stack(STACK) and not cdk.has_stack(DATA_STACK):
            raise LocalCloudError(
                f"{self._home} is of an earlier release, whose pipeline had its archive in one"
                " stack with it: go on with that release, or begin anew with `plays local reset`,"
                " which deletes all plays and logins in it"
            )
        is_deployed = self._memory.deployed
        self._say("cdk deploy")
        # Half of a first deployment is deleted by the next start, so it may be broken off.
        with self._requests.held_back(self._tell_of_waiting) if is_deployed else nullcontext():
            # A change may feed the functions again before it has ended.
            self._is_feeding = self._is_changing = True
            outputs = cdk.deploy(context)
            self._is_changing = False
        if self._wishes.simulated_listener:
            lookups.put_simulated_login(config, self._memory.aws)
        else:
            lookups.drop_simulated_login(config, self._memory.aws)
        if not is_deployed:
            # After a crash there would be no stack, and a new one would have another archive.
            self._say("saving the deployment")
            consumers.pause(self._memory.aws, self._say, self._is_hurried)
            self._parts.ministack.restart()
            self._remember(deployed=True)
        self._parts.ministack.note_changes()
        consumers.resume(self._memory.aws)
        return outputs

    def _tell_of_waiting(self) -> None:
        self._say("stopping once the deployment is through; once more breaks it off")

    def _remind(self, outputs: dict[str, str]) -> None:
        """Send again what a crash made MiniStack forget."""
        bucket, queue = outputs["ArchiveBucket"], outputs["UploadedFilesQueueUrl"]
        sent = forgotten.send_again(self._memory.aws, bucket, queue, self._memory.database)
        self._say(f"uploads begun again after a crash: {sent}")
        self._remember(crashed=False)

    def _send_sample(self, bucket: str) -> None:
        if self._wishes.empty or not self._wishes.simulated_listener or self._memory.sampled:
            return
        self._say(f"uploading a sample history of {SAMPLE_PLAYS} plays")
        path = self._home / "sample-history.zip"
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        write_history_zip(path, plays=SAMPLE_PLAYS, seed=1, until=today)
        key = upload_key(DEFAULT_LISTENER, path.name)
        client("s3", self._memory.aws).upload_file(str(path), bucket, key)
        self._remember(sampled=True)

    def _state(self, bucket: str, context: dict[str, str]) -> CloudState:
        memory = self._memory
        database = f"{HOST}:{memory.ports.postgres}/{DATABASE}"
        turned = self._wishes.at_real_spotify().deployment(memory.ports)
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
            simulated=self._wishes.simulated_listener,
            real_spotify_api_url=turned["spotify_api_url"],
            real_spotify_accounts_url=turned["spotify_accounts_url"],
            page_url=self._memory.ports.page_url,
            log_dir=self._home / "logs",
        )

    @property
    def _wishes(self) -> Wishes:
        """What is wished, except what would mix simulated plays with own ones in this home."""
        if self._memory.real_spotify:
            return self._wished.at_real_spotify()
        if self._memory.empty and self._wished.simulated_listener:
            return self._wished.model_copy(update={"empty": True})
        return self._wished

    def _remember(self, **changes: object) -> None:
        self._memory = self._memory.model_copy(update=changes)
        self._memory.save(self._home)

    def _say(self, text: str) -> None:
        self._say_plainly(f"{time.monotonic() - self._started_at:5.1f} s  {text}")


def main() -> None:
    """Run in the background; what is said goes to the log."""
    home, wishes = Path(sys.argv[1]), Wishes.model_validate_json(sys.argv[2])
    try:
        run(home, wishes, lambda text: print(text, flush=True))  # noqa: T201 - its log
    except HistoryError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
