"""Start `plays`; Ctrl-C prints one line instead of a traceback, even during the imports."""

import sys


def main() -> None:
    """Run `plays`, imported inside the `try`, so that Ctrl-C during the import prints one line."""
    try:
        from cli.main import app  # noqa: PLC0415 - see above

        app(prog_name="plays")
    except KeyboardInterrupt:
        sys.stderr.write("plays: stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
