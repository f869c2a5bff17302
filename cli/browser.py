"""Open a page in the browser on this machine."""

import os
import sys
import webbrowser

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Without any of them Python would start a text browser in this terminal and block."""


def open_page(url: str) -> bool:
    """Open a page; return True if a browser accepted it."""
    has_screen = sys.platform == "darwin" or any(os.environ.get(name) for name in SCREENS)
    return has_screen and webbrowser.open(url)
