from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enricher.domain.join import CollectedBatch, join
from shared.models import BATCH_BYTES, PLAYS_PER_BATCH, EnrichedBatch, Gap, PollReport
from tests.unit.enricher.examples import START, a_batch, a_play, some_features, uri

SQS_BYTES = 1_048_576
NAMES = st.sampled_from("ABCDEF")
POPULARITY = st.none() | st.integers(0, 100)


def message(batch, known):
    """Join the JSON of a batch; return the JSON of the result."""
    collected = CollectedBatch.model_validate_json(batch.model_dump_json(exclude_none=True))
    return join(collected, known).model_dump_json(exclude_none=True)


def read(batch, known):
    return EnrichedBatch.model_validate_json(message(batch, known))


@given(
    plays=st.lists(st.builds(a_play, NAMES, popularity=POPULARITY)),
    known=st.dictionaries(NAMES, POPULARITY),
)
def test_joining_features_keeps_the_order_and_fields_of_plays(plays, known):
    features = {uri(name): some_features(name, popularity=known[name]) for name in known}

    joined = read(a_batch(*plays), features)

    assert [play.model_copy(update={"popularity": None}) for play in joined.plays] == [
        play.model_copy(update={"popularity": None}) for play in plays
    ]
    assert [play.popularity for play in joined.plays] == [
        known.get(play.track_name) if play.popularity is None else play.popularity for play in plays
    ]


@given(plays=st.lists(st.builds(a_play, NAMES)), known=st.sets(NAMES))
def test_features_of_a_track_played_twice_are_added_to_the_batch_once(plays, known):
    features = {uri(name): some_features(name) for name in known}

    joined = read(a_batch(*plays), features)

    played = [play.track_uri for play in plays]
    assert list(joined.features) == [features[t] for t in dict.fromkeys(played) if t in features]


@pytest.mark.parametrize("plays", [[], [a_play()]], ids=["no plays", "one play"])
def test_joining_features_keeps_listener_origin_number_and_report(plays):
    gap = Gap(started_at=START, ended_at=START + timedelta(hours=1), reason="full page")
    report = PollReport(polled_at=START, returned=50, new=1, late=0, moved=0, gap=gap)
    batch = a_batch(*plays, listener="anna", source="recently-played", number=3, report=report)

    assert read(batch, {}) == EnrichedBatch(**dict(batch))


def test_a_popularity_of_zero_counts_as_known():
    batch = a_batch(a_play("played", popularity=0), a_play("asked"))
    known = {
        uri("played"): some_features("played", popularity=70),
        uri("asked"): some_features("asked", popularity=0),
    }

    joined = read(batch, known)

    assert [play.popularity for play in joined.plays] == [0, 0]


@pytest.fixture
def largest_batch():
    """The most plays and bytes that a batch may have, each play with its own track."""
    names = [f"{number:064}" for number in range(PLAYS_PER_BATCH)]
    plays = [a_play(name) for name in names]
    room = BATCH_BYTES - len(a_batch(*plays).model_dump_json(exclude_none=True))
    padding = "x" * (room // PLAYS_PER_BATCH - len(',"album_name":""'))
    return a_batch(*(a_play(name, album_name=padding) for name in names))


def test_the_largest_enriched_batch_fits_into_one_sqs_message(largest_batch):
    ratios = ("danceability", "energy", "speechiness", "acousticness", "instrumentalness")
    widest = dict.fromkeys((*ratios, "liveness", "valence", "tempo"), 0.12345678901234566)
    more = {"loudness": -12.345678901234567, "key": 11, "mode": 1, "duration_ms": 2**31 - 1}
    known = {
        play.track_uri: some_features(
            play.track_name, **widest, **more, time_signature=100, popularity=100
        )
        for play in largest_batch.plays
    }

    joined = message(largest_batch, known)

    size = len(joined.encode())
    assert len(largest_batch.model_dump_json(exclude_none=True)) > 0.99 * BATCH_BYTES
    assert len(EnrichedBatch.model_validate_json(joined).features) == PLAYS_PER_BATCH
    assert size < 0.6 * SQS_BYTES
