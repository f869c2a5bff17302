"""A new instance boots as the database host, whatever its data volume contains."""

import re
import time

import pytest

from infra.cdk.constructs.postgres_host import BOOT
from services.loader.migrate import migrate
from tests.host.machine import SCRIPTS

PAUSE_S = 5
# A script that retries for ever would hang the test.
pytestmark = pytest.mark.timeout(120)
"""The pause between attempts; the test machine makes none."""
LOOPS = {
    # It has its own limit, and these end with their input.
    "lib.sh": [
        'while IFS= read -r fact || [ -n "$fact" ]; do',
        'until "$@"; do',
    ],
    "configure.sh": ["while IFS= read -r line; do"],
}


def test_a_new_host_has_postgres_with_checksums_and_utf8(served):
    with served.connected("migrator") as database:
        rows = database.run(
            "SELECT current_setting('data_checksums'), current_setting('server_encoding'), "
            "datcollate::text, datctype::text FROM pg_database WHERE datname = current_database()"
        )

    assert rows == [["on", "UTF8", "C", "C.UTF-8"]]


def test_postgres_applies_every_setting_of_pipeline_conf(served):
    ours = served.sql(
        "SELECT count(*), string_agg(name || ': ' || error, ' ') FROM pg_file_settings "
        "WHERE sourcefile LIKE '%/conf.d/pipeline.conf' AND (NOT applied OR error IS NOT NULL)"
        # A test's server listens on the loopback only, by its command line.
        " AND name <> 'listen_addresses'"
    )

    assert ours == "0|"
    assert served.sql("SHOW work_mem") == "8MB"


def test_a_second_boot_changes_no_data_or_configuration(booted):
    with booted.connected("migrator") as owner:
        migrate(owner)
        before = booted.state()

        booted.run("boot.sh")

        assert booted.state() == before
        assert owner.run("SELECT 1") == [[1]]


def test_a_new_instance_keeps_the_data_and_certificates(booted):
    with booted.connected("migrator") as owner:
        owner.run("CREATE TABLE kept AS SELECT 42 AS x")
    authority = booted.ca
    booted.replace_instance()

    booted.run("boot.sh")

    assert booted.ask("migrator", "TABLE kept") == [[42]]
    assert booted.ca == authority
    assert len([call for call in booted.calls if call.startswith("mkfs")]) == 1


def test_a_booting_instance_attaches_the_data_volume_and_the_elastic_ip(served):
    assert (
        "aws ec2 attach-volume --device /dev/sdf --volume-id vol-0123 --instance-id i-0123"
        in served.calls
    )
    assert (
        "aws ec2 associate-address --allocation-id eipalloc-0123 --instance-id i-0123"
        in served.calls
    )


@pytest.mark.parametrize("call", ["ec2-wait", "ec2-attach-volume", "ec2-associate-address"])
def test_calls_that_ec2_refuses_are_retried(machine, call):
    machine.refuse(call)

    machine.run("disk.sh")

    assert machine.home.is_symlink()


@pytest.mark.parametrize(
    ("script", "retried"),
    [
        ("disk.sh", {"instance_id", "attach", "take_address"}),
        ("boot.sh", {"packages"}),
        ("tls.sh", {"publish"}),
        ("roles.sh", {"login_of"}),
        ("credits.sh", {"lower"}),
        ("check.sh", {"report_unhealthy"}),
    ],
)
def test_each_retry_time_limit_allows_two_hanging_attempts(script, retried):
    text = (SCRIPTS / "lib.sh").read_text() + (SCRIPTS / script).read_text()
    limits = {name: int(limit) for limit, name in re.findall(r"retry (\d+) (\w+)", text)}

    for name in retried:
        body = re.search(rf"^{name}\(\) {{$(.*?)^}}", text, re.MULTILINE | re.DOTALL).group(1)
        attempts = [int(limit) for limit in re.findall(r"bounded (\d+) ", body)]
        assert attempts
        assert all(2 * attempt + PAUSE_S < limits[name] for attempt in attempts)


def test_a_hanging_aws_call_is_stopped_and_retried(machine):
    machine.change("disk.sh", "bounded 15 aws ec2 associate", "bounded 1 aws ec2 associate")
    machine.hang("ec2-associate-address")

    begun = time.monotonic()
    machine.run("disk.sh")

    assert len([call for call in machine.calls if "associate-address" in call]) == 2
    assert time.monotonic() - begun < 30


def test_a_disk_with_data_is_never_formatted(machine):
    # The mark of an ext4 file system: neither ours nor empty.
    with machine.volume.open("r+b") as volume:
        volume.seek(1080)
        volume.write(b"\x53\xef")
    before = machine.volume.read_bytes()

    machine.attempt("disk.sh")

    assert machine.volume.read_bytes() == before


def test_an_unreadable_disk_is_not_formatted(machine):
    machine.fake("blkid", "exit 8")

    done = machine.attempt("disk.sh")

    assert done.returncode == 1
    assert "cannot tell what is on" in done.stderr
    assert not any(call.startswith("mkfs") for call in machine.calls)


def test_the_file_system_grows_with_an_enlarged_volume(machine):
    machine.run("disk.sh")
    before = len(machine.calls)

    machine.run("disk.sh")

    assert f"xfs_growfs {machine.home}" in machine.calls[before:]


def test_a_boot_refuses_data_of_another_postgres_major_version_unchanged(booted):
    (booted.home / "data" / "PG_VERSION").write_text("9\n")

    done = booted.attempt("cluster.sh")

    assert done.returncode == 1
    assert "the data are of Postgres 9" in done.stderr
    assert (booted.home / "data" / "PG_VERSION").read_text() == "9\n"


def test_the_next_boot_repairs_an_interrupted_initialization(machine):
    machine.fake("initdb", 'mkdir -p "${1#--pgdata=}"; touch "${1#--pgdata=}/PG_VERSION"; exit 1')
    assert machine.attempt("boot.sh").returncode == 1
    machine.replace_instance()

    machine.run("boot.sh")

    assert machine.ask("reader", "SELECT 1") == [[1]]


def test_a_failed_boot_prints_the_reason_and_starts_no_systemd_timer(machine):
    machine.put_login("loader", "")

    done = machine.attempt("boot.sh")

    assert done.returncode == 1
    assert "the login of loader is not JSON" in done.stdout
    assert machine.console.read_text() == done.stdout
    # By this timer the user data see that a boot succeeded.
    assert not [call for call in machine.calls if "pg-check.timer" in call]


def test_all_boot_steps_together_fit_the_cloudformation_signal_timeout(machine):
    for verb in ("retry", "within"):
        machine.change(
            "lib.sh",
            f"{verb}() {{\n",
            f'{verb}() {{\n    echo "${{0##*/}} $*" >> "$CLOUD/limits"\n',
        )
    (machine.cloud / "limits").touch()
    (machine.cloud / "limits").chmod(0o666)

    machine.run("boot.sh")

    steps = [line.split() for line in (machine.cloud / "limits").read_text().splitlines()]
    # No boot waits for pg-credits.
    steps = [words for script, *words in steps if script != "credits.sh"]
    limits = [int(limit) for limit, *_ in steps]
    [start] = [at for at, (_, *words) in enumerate(steps) if words[:2] == ["systemctl", "enable"]]
    [blkid], [metrics], [start_by_s], [recovery_s] = [
        [int(limit) for limit in re.findall(pattern, (SCRIPTS / script).read_text(), re.MULTILINE)]
        for script, pattern in (
            ("disk.sh", r"^\s*timeout (\d+) "),
            ("boot.sh", r"^timeout (\d+) "),
            ("boot.sh", r"^START_BY_S=(\d+)$"),
            ("lib.sh", r"^RECOVERY_S=(\d+) "),
        )
    ]
    assert len(limits) >= 15
    # Crash recovery gets the time of check.sh, or what the earlier steps leave of it.
    assert recovery_s <= limits[start] <= start_by_s
    assert start_by_s - sum(limits[:start]) - blkid >= 450
    # The rest is for the start of the instance, and for steps that take seconds here.
    assert start_by_s + sum(limits[start + 1 :]) + metrics <= BOOT.to_seconds() - 200


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sh")), ids=lambda path: path.name)
def test_every_slow_program_in_a_script_has_a_time_limit(script):
    lines = [line.strip() for line in script.read_text().splitlines()]
    calls = [line for line in lines if re.search(r"(?<![-\w])(aws|curl|dnf) [a-z-]", line)]
    limited = re.compile(r"(bounded|timeout) \d+ (aws|curl|dnf) ")

    unlimited = [
        line
        for line in calls
        # Their unit limits backups, and a person runs restores.
        if not line.startswith("#") and not limited.search(line) and "aws s3 " not in line
    ]

    assert unlimited == []
    assert [line for line in lines if re.match(r"(while|until) ", line)] == LOOPS.get(
        script.name, []
    )


HANGS = "exec sleep 300"


@pytest.mark.parametrize(
    ("script", "limit", "program", "text"),
    [
        ("disk.sh", "retry 30 instance_id", "curl", HANGS),
        ("disk.sh", "retry 300 attach", "aws", HANGS),
        ("disk.sh", "within 30 mount", "mount", HANGS),
        ("boot.sh", "retry 300 packages", "dnf", HANGS),
        ("cluster.sh", "within 45 runuser", "initdb", HANGS),
        (
            *("boot.sh", 'within "$((START_BY_S - SECONDS))" systemctl', "systemctl"),
            f"case $1 in enable) {HANGS} ;; daemon-reload) ;; *) exit 1 ;; esac",
        ),
    ],
    ids=["metadata", "attach", "mount", "packages", "initdb", "postgres"],
)
def test_a_hanging_program_fails_the_boot_with_an_error_that_names_it(
    machine, script, limit, program, text
):
    verb, *_, name = limit.split()
    machine.change(script, limit, f"{verb} 1 {name}")
    machine.fake(program, text)

    begun = time.monotonic()
    done = machine.attempt("boot.sh")

    assert done.returncode == 1
    assert re.search(rf"1 s: {name}", done.stdout)
    assert time.monotonic() - begun < 30


def test_unlimited_cpu_credits_end_after_the_boot(served):
    change = (
        "aws ec2 modify-instance-credit-specification --output text"
        " --instance-credit-specifications InstanceId=i-0123,CpuCredits=standard"
        " --query SuccessfulInstanceCreditSpecifications[].InstanceId"
    )

    assert served.calls.index(change) > served.calls.index("systemctl enable --now postgresql")


def test_credits_sh_fails_if_ec2_does_not_change_the_credit_mode(served):
    served.change("credits.sh", "retry 60 lower", "retry 1 lower")
    (served.cloud / "changed").write_text("\n")

    done = served.attempt("credits.sh")

    (served.cloud / "changed").unlink()
    assert done.returncode == 1


def test_an_instance_type_without_cpu_credits_makes_no_credit_call(served):
    served.facts["CPU_CREDITS"] = ""
    before = len(served.calls)

    served.run("credits.sh")

    served.facts["CPU_CREDITS"] = "standard"
    assert served.calls[before:] == []
