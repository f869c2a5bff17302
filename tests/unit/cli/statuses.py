"""A status in which nothing needs a person."""

from datetime import UTC, datetime

from cli.deployment_status import Status
from cli.pending_features import PendingFeatures
from cli.queues import QueueDepth

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def a_status(**changes):
    return Status(
        **{
            "target": "local",
            "stack": "SpotifyPipeline",
            "database_url": "postgresql://reader@127.0.0.1:5432/spotify",
            "report_url": None,
            "aws_endpoint": "http://127.0.0.1:4566",
            "bucket": "archive",
            "dashboard_url": None,
            "queues": {"plays": QueueDepth(visible=1_500, in_flight=0, oldest_age_s=90)},
            "dead_letters": 0,
            "failed_ticks": 0,
            "rows": {"listening_history": 12_345, "gap": 3},
            "last_poll": None,
            "gaps": [],
            "open_gaps": 0,
            "coverage": {},
            "uploads": None,
            "removed_listeners": [],
            "features_failing_since": None,
            "token_days_left": {"me": 150},
            "blocked_until": {"me": None},
            "block_unknown": {"me": None},
            "needs_login_since": {"me": None},
            "answered_at": {"me": NOW},
            "last_error": {"me": None},
            "postgres_error": None,
            "pending_features": PendingFeatures(tracks=0, unknown_to_sources=0, due_at=None),
            "alarms": (),
            "simulated": False,
            "polls_scheduled": True,
            "free_bytes": 10**11,
            **changes,
        }
    )
