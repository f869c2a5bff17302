"""Postgres accepts only TLS, with a certificate signed by the CA that the host publishes."""

import socket
import ssl
import stat
import subprocess

import pytest

from shared.errors import DatabaseAwayError, DatabaseLoginError
from tests.host.machine import NAME

SESSION = """
SELECT ssl, version, pg_postmaster_start_time() FROM pg_stat_ssl WHERE pid = pg_backend_pid()
"""
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""https://www.postgresql.org/docs/17/protocol-message-formats.html"""


def certificate(machine, name="server.pem"):
    return (machine.home / "tls" / name).read_text()


def lasts(machine, name, days):
    path = machine.home / "tls" / name
    command = ["openssl", "x509", "-in", path, "-noout", "-checkend", str(86_400 * days)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def certificate_shown(machine, context):
    """Do the TLS handshake of a Postgres client; return the server's certificate."""
    with socket.create_connection(("127.0.0.1", machine.port)) as plain:
        plain.sendall(SSL_REQUEST)
        assert plain.recv(1) == b"S"
        with context.wrap_socket(plain, server_hostname=NAME) as encrypted:
            return ssl.DER_cert_to_PEM_cert(encrypted.getpeercert(binary_form=True))


@pytest.mark.parametrize("role", ["migrator", "loader", "reader"])
def test_each_role_connects_over_tls_1_3_with_the_published_ca(served, role):
    with served.connected(role) as database:
        ((encrypted, version, _),) = database.run(SESSION)

    assert encrypted
    assert version == "TLSv1.3"


def test_a_client_that_trusts_another_ca_rejects_the_server(served, booted):
    with pytest.raises(DatabaseAwayError, match="certificate verify failed"):
        served.ask("loader", ca_pem=booted.ca)


def test_a_client_rejects_the_server_under_another_name(served):
    with pytest.raises(DatabaseAwayError, match="Hostname mismatch"):
        served.ask("loader", host="db.example")


@pytest.mark.parametrize("role", ["migrator", "loader", "reader"])
def test_a_connection_without_tls_is_refused(served, role):
    with pytest.raises(DatabaseLoginError, match="no encryption"):
        served.ask(role, host="127.0.0.1", port=served.port, ca_pem="", via=None)


def test_an_old_tls_version_is_refused(served):
    context = ssl.create_default_context(cadata=served.ca)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    # This machine's OpenSSL does not offer it by default.
    context.set_ciphers("ALL:@SECLEVEL=0")

    with pytest.raises(ssl.SSLError, match="protocol version"):
        certificate_shown(served, context)


def test_the_certificate_passes_strict_x509_verification(served):
    context = ssl.create_default_context(cadata=served.ca)
    # It is the default since Python 3.13.
    context.verify_flags |= ssl.VERIFY_X509_STRICT

    assert certificate_shown(served, context) in certificate(served)


@pytest.mark.parametrize(
    ("name", "owner"), [("ca.key", "root"), ("server.pem", "postgres")], ids=["ca", "server"]
)
def test_only_the_owner_can_read_a_tls_key(served, name, owner):
    path = served.home / "tls" / name

    assert path.owner() == owner
    assert stat.filemode(path.stat().st_mode) == "-rw-------"


@pytest.mark.parametrize(
    ("name", "days"), [("ca.crt", 3650), ("server.pem", 397)], ids=["ca", "server"]
)
def test_a_certificate_has_the_configured_lifetime(served, name, days):
    assert lasts(served, name, days - 1)
    assert not lasts(served, name, days)


def test_renewing_a_certificate_keeps_open_connections(machine):
    machine.change("tls.sh", "SERVER_DAYS=397", "SERVER_DAYS=29")
    machine.run("boot.sh")
    machine.change("tls.sh", "SERVER_DAYS=29", "SERVER_DAYS=397")
    old = certificate(machine)

    with machine.connected("loader") as open_before:
        before = open_before.run(SESSION)
        machine.run("tls.sh")

        assert open_before.run(SESSION) == before
        assert machine.ask("loader", SESSION) == before
    assert certificate(machine) != old
    shown = certificate_shown(machine, ssl.create_default_context(cadata=machine.ca))
    assert shown in certificate(machine)


def test_a_certificate_far_from_its_expiry_is_not_renewed(machine):
    machine.change("tls.sh", "SERVER_DAYS=397", "SERVER_DAYS=31")
    machine.run("boot.sh")
    before = certificate(machine)

    machine.run("tls.sh")

    assert certificate(machine) == before


def test_a_new_host_name_gets_a_certificate_of_the_same_ca(booted):
    authority = booted.ca
    booted.facts["DB_HOST"] = "ec2-198-51-100-1.eu-west-1.compute.amazonaws.com"

    booted.run("tls.sh")

    assert booted.ask("loader", "SELECT 1", host=booted.facts["DB_HOST"]) == [[1]]
    assert booted.ca == authority


def test_a_certificate_works_with_a_host_name_too_long_for_its_common_name(booted):
    booted.facts["DB_HOST"] = f"{'a' * 63}.{'b' * 63}.example"

    booted.run("tls.sh")

    assert booted.ask("loader", "SELECT 1", host=booted.facts["DB_HOST"]) == [[1]]


def test_a_deleted_ca_is_recreated_with_its_certificates(booted):
    former = booted.ca
    (booted.home / "tls" / "ca.crt").unlink()

    booted.run("tls.sh")

    assert booted.ask("loader", "SELECT 1") == [[1]]
    with pytest.raises(DatabaseAwayError, match="certificate verify failed"):
        booted.ask("loader", ca_pem=former)


def test_a_ca_that_could_not_be_published_is_published_by_the_next_run(booted):
    (booted.home / "tls" / "ca.crt").unlink()
    booted.fake("aws", "exit 254")
    booted.change("tls.sh", "retry 30 publish", "retry 1 publish")
    assert booted.attempt("tls.sh").returncode == 1
    booted.replace_instance()

    booted.run("boot.sh")

    assert booted.ask("loader", "SELECT 1") == [[1]]


def test_tls_sh_leaves_no_temporary_files(served):
    names = {path.name for path in (served.home / "tls").iterdir()}

    assert names == {"ca.crt", "ca.key", "server.pem"}
