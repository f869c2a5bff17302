"""Data Studio is refused by default; if enabled, it needs a certificate."""

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
    """A machine that admits Data Studio; tests must leave it unchanged."""
    with a_machine() as machine:
        yield boot_open(machine)


def a_client(machine, certificate=None):
    context = ssl.create_default_context(cadata=machine.ca)
    # It connects to an IP address; test_tls.py covers the verification of names.
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(certificate)
    return context


def a_certificate(machine, name):
    """Return a client certificate for a name, signed by the host's CA."""
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


def test_data_studio_is_refused_and_has_no_certificate_unless_enabled(served):
    with pytest.raises(DatabaseError, match=r"no pg_hba\.conf entry"):
        served.ask_from_elsewhere("report_reader", a_client(served))

    assert not (served.home / "tls" / "report_reader.pem").exists()


def test_if_enabled_report_reader_connects_with_its_certificate(opened):
    client = a_client(opened, opened.home / "tls" / "report_reader.pem")

    assert opened.ask_from_elsewhere("report_reader", client) == [["report_reader"]]


def test_if_enabled_a_password_alone_is_refused(opened):
    with pytest.raises(DatabaseError, match="valid client certificate"):
        opened.ask_from_elsewhere("report_reader", a_client(opened))


def test_if_enabled_the_certificate_alone_is_refused(opened):
    client = a_client(opened, opened.home / "tls" / "report_reader.pem")

    with pytest.raises(DatabaseError, match="password authentication failed"):
        opened.ask_from_elsewhere("report_reader", client, password="a guess")  # noqa: S106 - a wrong one


def test_if_enabled_a_certificate_for_another_name_is_refused(opened):
    client = a_client(opened, a_certificate(opened, "somebody"))

    # Only the owner's log has the reason: the client sees a plain refusal.
    with pytest.raises(DatabaseError, match="authentication failed"):
        opened.ask_from_elsewhere("report_reader", client)
    assert "CN mismatch" in opened.log.read_text()


def test_if_enabled_a_certificate_of_another_ca_is_refused(opened, machine):
    boot_open(machine)
    client = a_client(opened, machine.home / "tls" / "report_reader.pem")

    # The error depends on which side writes first.
    with pytest.raises((DatabaseError, InterfaceError, OSError)):
        opened.ask_from_elsewhere("report_reader", client)


@pytest.mark.parametrize("role", ["migrator", "loader", "reader"])
def test_if_enabled_no_other_role_connects_with_the_certificate(opened, role):
    client = a_client(opened, opened.home / "tls" / "report_reader.pem")

    with pytest.raises(DatabaseError, match=r"no pg_hba\.conf entry"):
        opened.ask_from_elsewhere(role, client)


def test_the_key_of_data_studio_is_pkcs8_and_readable_by_root_only(opened):
    path = opened.home / "tls" / "report_reader.pem"

    assert "-----BEGIN PRIVATE KEY-----" in path.read_text()
    assert (path.owner(), path.stat().st_mode & 0o777) == ("root", 0o600)


def test_a_second_run_keeps_the_data_studio_certificate(opened):
    before = opened.state()

    opened.run("boot.sh")

    assert opened.state() == before


@pytest.mark.parametrize("role", ["reader", "report_reader"])
def test_the_owner_connects_by_port_forwarding_without_a_certificate(machine, role):
    # The lines for the functions' network would admit reader from the same address.
    machine.facts["APP_CIDRS"] = "10.42.2.0/24"
    machine.run("boot.sh")

    assert machine.ask(role, "SELECT current_user::text") == [[role]]


def test_disabling_data_studio_refuses_its_next_connection(machine):
    boot_open(machine)
    client = a_client(machine, machine.home / "tls" / "report_reader.pem")
    machine.facts["DATA_STUDIO_CIDRS"] = ""

    machine.run("configure.sh")

    with pytest.raises(DatabaseError, match=r"no pg_hba\.conf entry"):
        machine.ask_from_elsewhere("report_reader", client)
