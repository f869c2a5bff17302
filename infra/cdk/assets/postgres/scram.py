#!/usr/bin/env python3
"""Turn the login of a database role into the password verifier that Postgres stores.

    scram.py ROLE HOST DATABASE < login.json

Prints a SCRAM-SHA-256 verifier. The salt is a hash of role and host, because it must be unique but
not secret. So a password always gives the same verifier, and setting it again changes nothing.

Sources:
    https://www.rfc-editor.org/rfc/rfc5802#section-3 for the keys;
    https://www.postgresql.org/docs/17/catalog-pg-authid.html for the form.

Runs on the Python 3.9 of Amazon Linux, with nothing but its standard library.
"""

import hashlib
import hmac
import json
import sys
from base64 import b64encode

PORT = 5432

ITERATIONS = 4096
"""What Postgres itself takes."""


def main() -> None:
    """Read the login and print its verifier; no error message contains the password."""
    role, host, database = sys.argv[1:]
    try:
        login = json.load(sys.stdin)
        username, password = login["username"], login["password"]
        place = login["dbname"], login["port"]
    except (ValueError, KeyError, TypeError):
        sys.exit(f"the login of {role} is not JSON with username, password, dbname and port")
    if username != role:
        sys.exit(f"the login of {role} has the username of another role: set it to {role}")
    if place != (database, PORT):
        sys.exit(f"the login of {role} is for another database: delete its SSM parameter")
    # Other characters would have to be normalised first (RFC 4013).
    if not (isinstance(password, str) and password.isascii() and password.isprintable()):
        sys.exit(f"the password of {role} must contain only printable ASCII characters")
    if not password:
        sys.exit(f"the password of {role} must not be empty")
    salt = hashlib.sha256(f"{role}@{host}".encode()).digest()[:16]
    print(verifier(password, salt))  # noqa: T201 - its answer to roles.sh


def verifier(password: str, salt: bytes) -> str:
    """Return the verifier of a password, in the format of `pg_authid.rolpassword`."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored_key = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    server_key = _keyed(salted, b"Server Key")
    parts = [b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return "SCRAM-SHA-256${}:{}${}:{}".format(ITERATIONS, *parts)


def _keyed(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, "sha256").digest()


if __name__ == "__main__":
    main()
