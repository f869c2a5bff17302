"""Data Studio stays outside until it is let in, and then comes with a certificate only."""

import ssl
import subprocess

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError

from tests.host.conftest import a_machine
from tests.host.machine import ELSEWHERE


def boot_open(machine):
    machine.facts["DATA_STUDIO_CIDRS"] = f"203.0.113.0/24,{ELSEWHERE}/32"
    machine.run("boot.sh")
    return machine


@pytest.fixture(scope="module")
def opened(debian_postgres):
    """A machine that lets Data Studio in; tests leave it as they find it."""
    with a_machine() as machine:
        yield boot_open(machine)


def a_client(machine, certificate=None):
    context = ssl.create_default_context(cadata=machine.ca)
    # It dials a number; that names are verified is another test's matter.
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(certificate)
    return context


def a_certificate(machine, name):
    """Let the authority sign a certificate for any name."""
    tls, new = machine.home / "tls", machine.root / f"{name}.pem"
    key, request = machine.root / "key", machine.root / "request"
    for command in (
        ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
         "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, "-CA", tls / "ca.crt", "-CAkey", tls / "ca.key",
         "-set_serial", "7", "-out", new],
    ):  # fmt: skip
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    new.write_text(new.read_text() + key.read_text())
    return new


def test_closed_it_is_refused_and_has_no_certificate(served):
    with pytest.raises(DatabaseError, match=r"no pg_hba\.conf entry"):
        served.ask_from_elsewhere("report_reader", a_client(served))

    assert not (served.home / "tls" / "report_reader.pem").exists()


def test_opened_the_report_reader_comes_in_with_its_certificate(opened):
    client = a_client(opened, opened.home / "tls" / "report_reader.pem")

    assert opened.ask_from_elsewhere("report_reader", client) == [["report_reader"]]


def test_opened_a_password_alone_is_refused(opened):
    with pytest.raises(DatabaseError, match="valid client certificate"):
        opened.ask_from_elsewhere("report_reader", a_client(opened))


def test_opened_the_certificate_alone_is_refused(opened):
    client = a_client(opened, opened.home / "tls" / "report_reader.pem")

    with pytest.raises(DatabaseError, match="password authentication failed"):
        opened.ask_from_elsewhere("report_reader", client, password="a guess")  # noqa: S106 - a wrong one


def test_opened_a_certificate_for_another_name_is_refused(opened):
    client = a_client(opened, a_certificate(opened, "somebody"))

    # The reason is for the owner alone: the client hears that it is not let in.
    with pytest.raises(DatabaseError, match="authentication failed"):
        opened.ask_from_elsewhere("report_reader", client)
    assert "CN mismatch" in opened.log.read_text()


def test_opened_a_certificate_of_another_authority_is_refused(opened, machine):
    boot_open(machine)
    client = a_client(opened, machine.home / "tls" / "report_reader.pem")

    # How the refusal is seen depends on which side writes first.
    with pytest.raises((DatabaseError, InterfaceError, OSError)):
        opened.ask_from_elsewhere("report_reader", client)


@pytest.mark.parametrize("role", ["migrator", "loader", "reader"])
def test_opened_no_other_role_comes_in_with_the_certificate(opened, role):
    client = a_client(opened, opened.home / "tls" / "report_reader.pem")

    with pytest.raises(DatabaseError, match=r"no pg_hba\.conf entry"):
        opened.ask_from_elsewhere(role, client)


def test_its_key_is_in_the_form_that_data_studio_takes_and_only_root_reads_it(opened):
    path = opened.home / "tls" / "report_reader.pem"

    assert "-----BEGIN PRIVATE KEY-----" in path.read_text()
    assert (path.owner(), path.stat().st_mode & 0o777) == ("root", 0o600)


def test_a_second_run_keeps_its_certificate(opened):
    before = opened.state()

    opened.run("boot.sh")

    assert opened.state() == before


@pytest.mark.parametrize("role", ["reader", "report_reader"])
def test_the_owner_comes_in_by_a_forwarded_port_without_a_certificate(machine, role):
    # The functions' network has lines of its own, which let reader in by the same address.
    machine.facts["APP_CIDRS"] = "10.42.2.0/24"
    machine.run("boot.sh")

    with machine.connected(role) as database:
        assert database.run("SELECT current_user::text") == [[role]]


def test_closed_again_it_is_refused_from_the_next_connection_on(machine):
    boot_open(machine)
    client = a_client(machine, machine.home / "tls" / "report_reader.pem")
    machine.facts["DATA_STUDIO_CIDRS"] = ""

    machine.run("configure.sh")

    with pytest.raises(DatabaseError, match=r"no pg_hba\.conf entry"):
        machine.ask_from_elsewhere("report_reader", client)
