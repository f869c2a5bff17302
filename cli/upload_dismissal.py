"""Dismiss an upload that is in trouble, by a tag on its file in the archive.

The file and its plays stay as they are, but `plays status` no longer reports the upload.
"""

from typing import Any
from urllib.parse import unquote

from cli.target import Target

TAG = {"Key": "dismissed", "Value": "true"}


def dismiss(target: Target, key: str, origin: str) -> None:
    """Dismiss an upload by a tag on its file."""
    version = _version(target, key, origin)
    target.client("s3").put_object_tagging(**version, Tagging={"TagSet": [TAG]})


def is_dismissed(target: Target, key: str, origin: str) -> bool:
    """True if the file of an upload has the tag of a dismissed upload."""
    answer = target.client("s3").get_object_tagging(**_version(target, key, origin))
    return TAG in answer["TagSet"]


def _version(target: Target, key: str, origin: str) -> dict[str, Any]:
    version = unquote(origin.rpartition("?versionId=")[2])
    return {"Bucket": target.output("ArchiveBucket"), "Key": key, "VersionId": version}
