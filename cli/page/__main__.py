"""Start the dashboard's server; Ctrl-C ends it silently, even during its imports."""

from contextlib import suppress

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        from cli.page.server import main

        main()
