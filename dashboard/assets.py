"""The static files, read once: styles, scripts of charts, and the chart library from npm.

Each address contains a hash of the content, so a browser may cache the file for ever.
"""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flask import Response, request
from werkzeug.exceptions import NotFound

HERE = Path(__file__).parent / "static"
LIBRARY = Path(__file__).parents[1] / "node_modules"
FOR_EVER = "public, max-age=31536000, immutable"

SOURCES: dict[str, tuple[Path, ...]] = {
    "page.css": tuple(sorted(HERE.glob("*.css"))),
    "page.js": (HERE / "page.js",),
    "d3.js": (LIBRARY / "d3/dist/d3.min.js",),
    "plot.js": (LIBRARY / "@observablehq/plot/dist/plot.umd.min.js",),
    "charts.js": (HERE / "charts.js", *sorted((HERE / "charts").glob("*.js"))),
}
"""The files that are joined into each static file, in order."""


@dataclass(frozen=True)
class Asset:
    """One static file."""

    name: str
    content: bytes

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the content."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @cached_property
    def compressed(self) -> bytes:
        """The content as gzip."""
        return gzip.compress(self.content, mtime=0)

    @property
    def media_type(self) -> str:
        """The media type sent to the browser."""
        return "text/css" if self.name.endswith(".css") else "text/javascript"


class Assets:
    """The static files by name.

    Raises:
        FileNotFoundError: The chart library is not installed; the message says what to do.
    """

    def __init__(self, sources: Mapping[str, tuple[Path, ...]] = SOURCES) -> None:
        try:
            self._assets = {
                name: Asset(name, b"\n".join(path.read_bytes() for path in paths))
                for name, paths in sources.items()
            }
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"The chart library is not installed: {error.filename} is missing. "
                "Run `make setup`."
            ) from error

    def path(self, name: str) -> str:
        """Return the address of a static file."""
        return f"/static/{self._assets[name].digest}/{name}"

    def serve(self, digest: str, name: str) -> Response:
        """Return the response with a static file.

        Raises:
            NotFound: No file has this name and hash; a page of another release may request it.
        """
        asset = self._assets.get(name)
        if asset is None or asset.digest != digest:
            raise NotFound("This release of the page has no such file. Reload the page.")
        headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        content = asset.content
        if request.accept_encodings.quality("gzip"):
            content, headers["Content-Encoding"] = asset.compressed, "gzip"
        return Response(content, mimetype=asset.media_type, headers=headers)
