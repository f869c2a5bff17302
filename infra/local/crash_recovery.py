"""Find what a crash of MiniStack lost. It saves objects at once, but queues only at a clean stop.

An upload is still in the archive, so its key is known. Polls need no recovery: the collector's
state is as old as the queues, so the next poll fetches the newest 50 plays again.
"""

from contextlib import closing

from infra.local.aws import LocalAws, client
from shared.archive import UPLOADS, upload_origin
from shared.postgres import Address, Database

LOADED = "SELECT origin FROM reporting.import_result WHERE is_complete"


def incomplete_uploads(aws: LocalAws, bucket: str, address: Address) -> list[str]:
    """Return the keys of the uploads that are not loaded completely, except deleted ones.

    Args:
        aws: The endpoint of AWS, and the key.
        bucket: The archive.
        address: The database, for a role that may read.
    """
    with closing(Database.connect(address)) as database:
        loaded = {str(origin) for (origin,) in database.run(LOADED)}
    pages = client("s3", aws).get_paginator("list_object_versions")
    return [
        version["Key"]
        for page in pages.paginate(Bucket=bucket, Prefix=UPLOADS)
        for version in page.get("Versions", [])
        if version["IsLatest"]
        and not version["Key"].endswith("/")
        and upload_origin(version["Key"], version["VersionId"]) not in loaded
    ]
