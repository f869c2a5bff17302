"""The state of a local cloud at whose addresses nothing listens."""

import os
from pathlib import Path

from infra.local.state import CloudState

NOWHERE = "http://127.0.0.1:1"


def a_cloud_state(**changes):
    """Return the state of a local cloud that this process runs."""
    return CloudState(
        **{
            "pid": os.getpid(),
            "aws_endpoint": NOWHERE,
            "region": "us-east-1",
            "access_key": "000000000000",
            "secret_key": "test",
            "bucket": "archive",
            "database_url": "postgresql://reader:p%40ss@127.0.0.1:1/spotify",
            "spotify_api_url": NOWHERE,
            "spotify_accounts_url": NOWHERE,
            "reccobeats_url": NOWHERE,
            "log_dir": Path("logs"),
            **changes,
        }
    )
