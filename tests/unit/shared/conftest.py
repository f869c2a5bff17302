import pytest

from tests.unit.spotify_server import a_spotify_server


@pytest.fixture
def spotify():
    with a_spotify_server() as server:
        yield server
