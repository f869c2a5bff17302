"""The files that an upload sends: named files, and streaming histories in named folders."""

import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cli.errors import BadResultError, CommandError
from cli.output import note
from services.collector.backfill.zip_files import is_history, is_zip
from shared.archive import DEFAULT_LISTENER, UPLOAD_SUFFIXES, upload_key
from shared.models import FileProblem

NO_HISTORY = "no streaming history"
NOTED = 30
"""Most files that are named; the package of Spotify has about as many."""


def find_files(paths: Iterable[Path]) -> tuple[list[Path], tuple[FileProblem, ...]]:
    """Replace each folder by the streaming histories in it.

    Other files in a folder are left out, by the backfill's rule for members of a zip: a JSON file
    is judged by its name, a zip by the names in it.

    Returns:
        The files to upload, and the files left out, each with the reason.

    Raises:
        CommandError: A folder holds no streaming history.
        BadResultError: It holds none, and a zip in it is damaged.
    """
    files: list[Path] = []
    left_out: list[FileProblem] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        before = len(files)
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            if reason := _no_history(file, path):
                left_out.append(FileProblem(file=str(file), reason=reason))
            else:
                files.append(file)
        if len(files) == before:
            require_readable(left_out)
            raise CommandError(
                f"there is no streaming history in {path}: pass the folder of the files that "
                "Spotify sent you, such as Streaming_History_Audio_2024_1.json, or their zip"
            )
    return files, tuple(left_out)


def require_readable(left_out: Iterable[FileProblem]) -> None:
    """Check that no file was left out of an upload because it is damaged.

    Raises:
        BadResultError: Files are damaged; the message names each, with the reason.
    """
    damaged = [f"{each.file}: {each.reason}" for each in left_out if each.reason != NO_HISTORY]
    if damaged:
        raise BadResultError(f"not uploaded, because damaged: {'; '.join(damaged)}")


def note_left_out(left_out: Sequence[FileProblem]) -> None:
    """Print the names of the files left out to stderr; at most the first `NOTED`."""
    for each in left_out[:NOTED]:
        note(f"not uploaded: {each.file}: {each.reason}")
    if len(left_out) > NOTED:
        note(f"not uploaded: {len(left_out) - NOTED:,} more files, see them with --json")


def check(files: list[Path]) -> list[Path]:
    """Check that each file can be uploaded; return the files without duplicates.

    Raises:
        CommandError: A file cannot be uploaded; the message names it and the reason.
    """
    for file in files:
        # Control characters, and bytes that are not UTF-8.
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in file.name):
            raise CommandError(
                f"file name {file.name!r} has a control character, or is not UTF-8: rename the file"
            )
        if not file.exists():
            raise CommandError(f"{file} does not exist: check the path")
        if not file.is_file():
            raise CommandError(f"{file} is not a file: pass the zip, or the JSON files in it")
        if file.suffix.lower() not in UPLOAD_SUFFIXES:
            raise CommandError(
                f"{file} is neither .zip nor .json: pass the file that Spotify sent you"
            )
    known: dict[str, Path] = {}
    for file in files:
        other = known.setdefault(upload_key(DEFAULT_LISTENER, file.name), file)
        if not other.samefile(file):
            raise CommandError(f"{other} and {file} have the same name: rename one of them")
    return list(known.values())


def _no_history(file: Path, folder: Path) -> str | None:
    """Return why a file in a folder is left out; None for a streaming history."""
    name = str(file.relative_to(folder))
    if is_history(name):
        return None
    if not is_zip(name):
        return NO_HISTORY
    try:
        return None if any(map(is_history, _members(file))) else NO_HISTORY
    # A newer format, or a name in an unknown encoding, is none of the first two.
    except (OSError, zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        return f"not a readable zip ({error}): download it again"


def _members(file: Path) -> Iterator[str]:
    with zipfile.ZipFile(file) as archive:
        yield from archive.namelist()
