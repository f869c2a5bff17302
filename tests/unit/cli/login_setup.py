"""The surroundings of a login: a deployed collector, a fake Spotify, and a person."""

import json
import os
import signal
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Thread
from urllib.parse import parse_qsl, urlencode, urlsplit

LISTENER_SECRET = "spotify-pipeline/listener/me"  # noqa: S105 - its name
APP_SECRET = "app-secret"  # noqa: S105 - not a real one
GRANT = "AQ-secret"
SECRETS = (APP_SECRET, GRANT, "BQ-secret", "AQC-secret")


class Person:
    """The person at the browser; calls `does` when the consent page opens."""

    keyboard: int
    """The file descriptor that writes to standard input."""

    def __init__(self):
        self.urls = []
        self.pages = []
        self.does = self.allows
        self._threads = []

    def open(self, url):
        """Replace `webbrowser.open`."""
        self.urls.append(url)
        thread = Thread(target=self.does)
        self._threads.append(thread)
        thread.start()
        return True

    def join(self):
        for thread in self._threads:
            thread.join()

    @property
    def asked(self):
        """The query of the last consent page."""
        return dict(parse_qsl(urlsplit(self.urls[-1]).query))

    def redirect(self, **answer):
        """Return the URL to which Spotify redirects the browser."""
        query = {"code": "AQC-secret", "state": self.asked["state"]} | answer
        chosen = {name: value for name, value in query.items() if value}
        return f"{self.asked['redirect_uri']}?{urlencode(chosen)}"

    def allows(self):
        self.visits(self.redirect())

    def denies(self):
        self.visits(self.redirect(code="", error="access_denied"))

    def ignores_it(self):
        pass

    def presses_ctrl_c(self):
        os.kill(os.getpid(), signal.SIGINT)

    def pastes(self, *lines):
        os.write(self.keyboard, "".join(f"{line}\n" for line in lines).encode())

    def visits(self, url):
        target = urlsplit(url)
        # Not by requests, whose log would look like the command's.
        browser = HTTPConnection(target.netloc, timeout=10)
        browser.request("GET", f"{target.path}?{target.query}")
        self.pages.append(browser.getresponse().read().decode())
        browser.close()


@contextmanager
def typing_on_stdin():
    """Replace stdin by a pipe; yield its writing end."""
    before, (read, write) = os.dup(0), os.pipe()
    os.dup2(read, 0)
    os.close(read)
    try:
        yield write
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(write)


class LoginSetup:
    """A login's surroundings, and its result."""

    def __init__(self, plays, port, session, spotify, person):
        self._plays = plays
        self._port = port
        self._secrets = session.client("secretsmanager")
        self.spotify = spotify
        self.person = person

    def login(self, *words):
        """Run `plays login`."""
        return self._plays("login", "--port", str(self._port), "--timeout", "10", *words)

    @property
    def stored(self):
        """The value of the listener's secret; None without one."""
        try:
            found = self._secrets.get_secret_value(SecretId=LISTENER_SECRET)
        except self._secrets.exceptions.ResourceNotFoundException:
            return None
        return json.loads(found["SecretString"])

    def store(self, value):
        """Write a value into the listener's secret."""
        self._secrets.put_secret_value(SecretId=LISTENER_SECRET, SecretString=json.dumps(value))
