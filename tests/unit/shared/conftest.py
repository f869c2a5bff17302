import pytest

from shared.spotify.api import open_session
from tests.fakes.aws import a_cloud
from tests.fakes.spotify import a_spotify_server


@pytest.fixture
def spotify():
    with a_spotify_server() as server:
        yield server


@pytest.fixture
def session():
    with open_session() as session:
        yield session


@pytest.fixture
def cloud():
    with a_cloud() as cloud:
        yield cloud
