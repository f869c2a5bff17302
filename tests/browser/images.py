"""Take the screenshots of the README: `make screenshots`."""

from typing import Literal

from bench.browser import DESKTOP, PHONE, opened
from infra.local.state import REPOSITORY
from tests.browser.serving import served

IMAGES = REPOSITORY / "docs" / "images"
LOOKS: dict[str, tuple[tuple[int, int], Literal["light", "dark"]]] = {
    "overview.png": (DESKTOP, "light"),
    "overview-phone.png": (PHONE, "dark"),
}


def main() -> None:
    """Write the overview on a desktop and on a phone, in the light and the dark theme."""
    IMAGES.mkdir(exist_ok=True)
    with served() as site, opened() as browser:
        for name, (size, theme) in LOOKS.items():
            browser.look(size, theme)
            browser.visit(f"{site.url}/?period=12m")
            (IMAGES / name).write_bytes(browser.picture(whole=False))


if __name__ == "__main__":
    main()
