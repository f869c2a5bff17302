"""Start `plays`; Ctrl-C prints one line instead of a traceback, even during the imports."""

import sys


def main() -> None:
    """Run the command line. Its imports are in the `try` because they take a second."""
    try:
        from cli.main import app  # noqa: PLC0415 - see above

        app(prog_name="plays")
    except KeyboardInterrupt:
        sys.stderr.write("plays: stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
