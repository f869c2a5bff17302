"""Opening a page in the browser of the person at this machine."""

import os
import sys
import webbrowser

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Without any of them Python would open a browser of text in this terminal, and wait for it."""


def open_page(address: str) -> bool:
    """Open a page, and return whether a browser took it."""
    has_screen = sys.platform == "darwin" or any(os.environ.get(name) for name in SCREENS)
    return has_screen and webbrowser.open(address)
