"""The backfill: an upload becomes batches of plays and a report.

`services.collector.backfill.handler` is the Lambda entry point; deployments use this name.
"""

from services.collector.backfill.upload_handler import handler

__all__ = ["handler"]
