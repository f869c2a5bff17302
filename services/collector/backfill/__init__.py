"""The backfill: an uploaded export becomes batches of plays and a report.

`services.collector.backfill.handler` is the Lambda entry point, a name that deployments rely on.
"""

from services.collector.backfill.upload_handler import handler

__all__ = ["handler"]
