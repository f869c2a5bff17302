"""Postgres behind TLS: a proxy, because the embedded server has no TLS."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SSL_REQUEST_BYTES = 8


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate, which is its own CA."""

    pem: str
    key: bytes

    def context(self, folder: Path) -> ssl.SSLContext:
        """The server's TLS context with this certificate."""
        file = folder / "server.pem"
        file.write_bytes(self.pem.encode() + self.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def a_certificate(host: str) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


@contextmanager
def a_tls_proxy(context: ssl.SSLContext, behind: tuple[str, int]) -> Iterator[tuple[str, int]]:
    """Serve one connection; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=_serve, args=(listening, context, behind))
        thread.start()
        yield listening.getsockname()
        thread.join(timeout=10)


def _serve(listening: socket.socket, context: ssl.SSLContext, behind: tuple[str, int]) -> None:
    plain, _ = listening.accept()
    # A client that does not trust the certificate closes the connection during the handshake.
    with plain, suppress(ssl.SSLError, ConnectionError), ExitStack() as stack:
        plain.recv(SSL_REQUEST_BYTES)
        plain.sendall(b"S")
        client = stack.enter_context(context.wrap_socket(plain, server_side=True))
        server = stack.enter_context(socket.create_connection(behind))
        answers = Thread(target=_copy, args=(server, client))
        answers.start()
        _copy(client, server)
        server.shutdown(socket.SHUT_RDWR)
        answers.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65_536):
            target.sendall(chunk)
