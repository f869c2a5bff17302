"""Finds the history files in an upload: a zip from Spotify, or one JSON file.

The file sizes that a zip states may be wrong, so the limits below apply to the unpacked bytes.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, NamedTuple

from services.collector.backfill.domain.rows import REQUEST_EXTENDED
from shared.errors import UploadError

CHUNK_BYTES = 128 << 10
MEMBERS = 2_000
"""Most members of a zip; real ones have about 30."""
DIRECTORY_BYTES = 1 << 20
"""Longest central directory of a zip, because it is read at once."""
TOTAL_BYTES = 1 << 30
"""Most unpacked bytes of all members: about 1.5 million rows."""
RATIO = 200
"""Highest compression ratio; real histories have 10 to 25, zip bombs 1,000."""
RATIO_FREE_BYTES = 16 << 20
"""Unpacked bytes that are exempt from `RATIO`, because a few similar rows compress well."""


DOWNLOAD_AGAIN = "download it again"
UNPACK = "unpack the zip and upload what is in it"


class HistoryFile(NamedTuple):
    """A history file of an upload: its path, and its bytes in order.

    `chunks` raises UploadError if the file is unreadable. Read all its chunks before asking for the
    next file.
    """

    name: str
    chunks: Iterator[bytes]


def history_files(upload: BinaryIO, name: str) -> Iterator[HistoryFile]:
    """Find the history files of an upload.

    A single file is always read. In a zip the name decides: other files of the export (the PDF, the
    library, payments) and files that macOS adds are ignored. A zip in a zip raises UploadError when
    its chunks are read.

    Args:
        upload: The file, seekable.
        name: Its name.

    Yields:
        The files in the zip's order.

    Raises:
        UploadError: Nothing of the upload can be read.
    """
    upload.seek(0)
    packed = upload.read(len(_ZIP_MARK)) == _ZIP_MARK
    upload.seek(0)
    if packed:
        yield from _zipped_files(upload)
    elif name.lower().endswith(".zip"):
        raise UploadError("not a zip file, although its name ends in .zip: download it again")
    else:
        yield HistoryFile(name, iter(lambda: upload.read(CHUNK_BYTES), b""))


def is_history(path: str) -> bool:
    """True if a path in a zip is that of a history file, by any known naming scheme."""
    return not _is_hidden(path) and _HISTORY_NAME.search(_parts(path)[-1]) is not None


def is_zip(path: str) -> bool:
    """True if a path in a zip is that of another zip."""
    return not _is_hidden(path) and _parts(path)[-1].endswith(".zip")


def is_video(path: str) -> bool:
    """True if a path is that of a history of videos, not of music."""
    return "video" in _parts(path)[-1]


def _parts(path: str) -> list[str]:
    return path.replace("\\", "/").lower().split("/")


def _is_hidden(path: str) -> bool:
    return any(part.startswith((".", "__macosx")) and part.strip(".") for part in _parts(path))


def _zipped_files(upload: BinaryIO) -> Iterator[HistoryFile]:
    with _open_zip(upload) as archive:
        members = archive.infolist()
        if len(members) > MEMBERS:
            raise UploadError(_TOO_MANY)
        found = [m for m in members if is_history(m.filename) or is_zip(m.filename)]
        if not found:
            raise UploadError(f"a zip without streaming history: {REQUEST_EXTENDED}")
        meter = _Meter(upload.seek(0, io.SEEK_END))
        for member in found:
            yield HistoryFile(member.filename, _unpack(archive, member, meter))


def _open_zip(upload: BinaryIO) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(_Bounded(upload))
        if _count(upload) not in (len(archive.infolist()), _COUNTED_ELSEWHERE):
            raise zipfile.BadZipFile("end record and directory differ in their number of files")
    except _FOREIGN as error:
        raise UploadError(f"a zip in an unsupported format: {UNPACK}") from error
    except _DAMAGE as error:
        raise UploadError(f"a damaged or incomplete zip: {DOWNLOAD_AGAIN}") from error
    return archive


def _count(upload: BinaryIO) -> int:
    """Return the number of members that the end record of a zip states.

    It differs from the directory's if a flipped bit has turned a member into part of the comment of
    another one.
    """
    size = upload.seek(0, io.SEEK_END)
    upload.seek(max(0, size - _END_BYTES))
    tail = upload.read()
    count = tail.rfind(b"PK\5\6") + 10
    return int.from_bytes(tail[count : count + 2], "little")


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, meter: "_Meter") -> Iterator[bytes]:
    """Unpack one member; raise UploadError if it cannot be unpacked safely.

    It is unpacked twice. The first pass checks the checksum before any row is read, because a
    flipped bit may unpack to false plays. This pass takes one second per million plays.
    """
    if is_zip(member.filename):
        raise UploadError(
            "the zip contains another zip: unpack the outer zip and upload the inner one by itself"
        )
    if member.flag_bits & _ENCRYPTED:
        raise UploadError(f"encrypted: {UNPACK}")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Other methods may unpack a small read into any amount of memory.
        raise UploadError(f"compressed by a method that cannot be read here: {UNPACK}")
    try:
        for chunk in _chunks(archive, member):
            meter.count(len(chunk))
        yield from _chunks(archive, member)
    except _FOREIGN as error:
        raise UploadError(f"compressed by a method that cannot be read here: {UNPACK}") from error
    except _DAMAGE as error:
        raise UploadError(f"damaged in the zip: {DOWNLOAD_AGAIN}") from error


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with _open_member(archive, member) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member whose name may have backslashes in one header and slashes in the other."""
    name = member.orig_filename
    for member.orig_filename in (name, name.replace("\\", "/"), name.replace("/", "\\")):
        try:
            return archive.open(member)
        except zipfile.BadZipFile as error:
            # Only the text of zipfile's error shows that two names differ.
            if not str(error).endswith("differ."):
                raise
    raise UploadError(
        f"the zip's index and the file's own header give this file different names: {UNPACK}"
    )


class _Meter:
    """Counts the unpacked bytes of one zip and stops a zip bomb."""

    def __init__(self, zip_bytes: int) -> None:
        # For the whole zip; otherwise each of 2,000 members would have its own exempt bytes.
        self._most_by_ratio = max(RATIO_FREE_BYTES, RATIO * zip_bytes)
        self._total = 0

    def count(self, size: int) -> None:
        """Count `size` more bytes."""
        self._total += size
        if self._total > TOTAL_BYTES:
            most = f"{TOTAL_BYTES >> 30} GiB"
            raise UploadError(f"the upload unpacks to more than {most}: upload it in parts")
        if self._total > self._most_by_ratio:
            raise UploadError(
                f"unpacks to more than {RATIO} times its size, as a zip bomb does: {UNPACK}"
            )


class _Bounded:
    """Wraps a file for `zipfile` and limits each read; `zipfile` reads a directory all at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek like a file; raise BadZipFile for an offset outside it, from a damaged directory."""
        if whence == io.SEEK_SET and not 0 <= offset <= self._size:
            raise zipfile.BadZipFile(f"the zip points to offset {offset}, outside the file")
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read like a file; refuse to read more than DIRECTORY_BYTES at once."""
        if size > DIRECTORY_BYTES:
            raise UploadError(_TOO_MANY)
        return self._file.read(size)


_ZIP_MARK = b"PK"
_END_BYTES = 22 + 65_535
"""Longest end record of a zip, with its comment."""
_COUNTED_ELSEWHERE = 65_535
"""This count means that a 64-bit record holds the real one."""
_ENCRYPTED = 0x1
_TOO_MANY = f"a zip of more than {MEMBERS} files: not an export of Spotify"
_HISTORY_NAME = re.compile(r"(endsong|endvideo|streaming_?history).*\.json$")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError)
# NotImplementedError: a newer version of the format.
# UnicodeDecodeError: a name is marked as UTF-8 but is not.
_FOREIGN = (NotImplementedError, UnicodeDecodeError)
