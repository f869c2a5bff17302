"""The queue messages: what they accept and refuse."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from shared.models import (
    INT4_MAX,
    PLAYS_PER_BATCH,
    EnrichedBatch,
    Play,
    PlayBatch,
    PollReport,
    TrackFeatures,
    UploadReport,
    iso,
)

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
PLAY = {
    "track_uri": "spotify:track:1AAAAAAAAAAAAAAAAAAAAA",
    "track_name": "Paper Boats",
    "artist_name": "The Example",
    "played_at": "2026-11-01T12:00:00.123Z",
}
BATCH = {"listener": "me", "source": "recently-played", "origin": "polls/me/1", "number": 0}
FEATURES = {"track_uri": "spotify:track:a", "source": "reccobeats", "fetched_at": NOON}
POLL = {"kind": "poll", "polled_at": NOON, "returned": 1, "new": 1, "late": 0, "moved": 0}
UPLOAD = {"kind": "upload", "rows_in": 1, "published": 1, "batches": 1}


def test_a_play_needs_only_track_uri_track_name_artist_name_and_played_at():
    play = Play.model_validate(PLAY)

    assert play.played_at == datetime(2026, 11, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    assert set(play.model_dump(exclude_none=True)) == set(PLAY)


@pytest.mark.parametrize("name", PLAY)
def test_a_play_without_a_required_field_is_refused(name):
    rest = {other: value for other, value in PLAY.items() if other != name}

    with pytest.raises(ValidationError, match=name):
        Play.model_validate(rest)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("track_uri", "spotify:episode:1AAAAAAAAAAAAAAAAAAAAA"),
        ("track_uri", "spotify:local:A:B:C:180"),
        ("track_uri", "spotify:track:"),
        ("track_uri", "spotify:track:1\n"),
        ("track_uri", "spotify:track:" + "1" * 201),
        ("track_name", "with\x00NUL"),
        ("artist_name", "x" * 2_001),
        ("played_at", "2026-11-01T12:00:00"),
        ("played_at", "1969-12-31T23:59:59Z"),
        ("played_at", "0001-01-01T00:00:00+05:00"),
        ("played_at", "9999-12-31T23:59:59Z"),
        ("ms_played", -1),
        ("ms_played", INT4_MAX + 1),
        ("ms_played", 1.5),
        ("duration_ms", INT4_MAX + 1),
        ("popularity", 101),
        ("popularity", -1),
        ("platform", "ios\x00"),
        ("shuffle", "perhaps"),
    ],
)
def test_a_play_with_an_invalid_value_is_refused(field, value):
    with pytest.raises(ValidationError, match=field):
        Play.model_validate(PLAY | {field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("track_name", "x" * 2_000),
        ("track_name", ""),
        ("track_name", "tab\tline\nback\\slash \\N 素敵滅法 🎧"),
        ("ms_played", 0),
        ("ms_played", INT4_MAX),
        ("popularity", 100),
        ("track_uri", "spotify:track:" + "z" * 64),
    ],
)
def test_a_play_with_an_extreme_but_valid_value_is_accepted(field, value):
    play = Play.model_validate(PLAY | {field: value})

    assert getattr(play, field) == value


@pytest.mark.parametrize("listener", ["me", "0", "jane-doe_2", "a" * 32])
def test_a_short_lower_case_name_is_accepted_as_listener(listener):
    assert PlayBatch.model_validate(BATCH | {"listener": listener}).listener == listener


@pytest.mark.parametrize("listener", ["", "Me", "-me", "_me", "a/b", "me\n", "é", "a" * 33])
def test_an_unsafe_name_is_refused_as_listener(listener):
    with pytest.raises(ValidationError, match="listener"):
        PlayBatch.model_validate(BATCH | {"listener": listener})


def test_a_batch_has_at_most_500_plays():
    plays = [PLAY] * PLAYS_PER_BATCH

    assert len(PlayBatch.model_validate(BATCH | {"plays": plays}).plays) == PLAYS_PER_BATCH
    with pytest.raises(ValidationError, match="plays"):
        PlayBatch.model_validate(BATCH | {"plays": [*plays, PLAY]})


@pytest.mark.parametrize(
    "change",
    [{"schema_version": 2}, {"source": "scrobbler"}, {"number": -1}, {"origin": "a\x00"}],
    ids=lambda change: next(iter(change)),
)
def test_a_batch_with_an_invalid_field_is_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        PlayBatch.model_validate(BATCH | change)


def test_unknown_fields_of_a_message_are_ignored():
    batch = EnrichedBatch.model_validate(
        BATCH | {"mood": "good", "plays": [PLAY | {"mood": "better"}]}
    )

    assert "mood" not in batch.model_dump_json()


def test_a_play_batch_can_be_read_as_an_enriched_batch_without_features():
    batch = EnrichedBatch.model_validate(BATCH)

    assert (batch.schema_version, batch.plays, batch.features, batch.report) == (1, (), (), None)


@pytest.mark.parametrize(
    ("report", "model"), [(POLL, PollReport), (UPLOAD, UploadReport)], ids=["poll", "upload"]
)
def test_the_field_kind_selects_the_report_model(report, model):
    batch = PlayBatch.model_validate(BATCH | {"report": report})

    assert isinstance(batch.report, model)


def test_a_report_of_an_unknown_kind_is_refused():
    with pytest.raises(ValidationError, match="report"):
        PlayBatch.model_validate(BATCH | {"report": POLL | {"kind": "rumour"}})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("energy", 1.01),
        ("valence", -0.01),
        ("key", 12),
        ("key", -2),
        ("mode", 2),
        ("tempo", -1),
        ("time_signature", 101),
        ("popularity", 101),
    ],
)
def test_features_out_of_range_are_refused(field, value):
    with pytest.raises(ValidationError, match=field):
        TrackFeatures.model_validate(FEATURES | {field: value})


def test_features_that_are_not_given_are_none():
    known = TrackFeatures.model_validate(FEATURES | {"key": -1, "loudness": -60.0})

    assert known.model_dump(exclude_none=True) == FEATURES | {"key": -1, "loudness": -60.0}


def test_a_message_is_unchanged_after_json_and_back():
    batch = EnrichedBatch.model_validate(
        BATCH
        | {
            "plays": [PLAY | {"ms_played": 0, "shuffle": False}],
            "features": [FEATURES],
            "report": POLL | {"gap": {"started_at": NOON, "ended_at": NOON, "reason": "full"}},
        }
    )

    assert EnrichedBatch.model_validate_json(batch.model_dump_json(exclude_none=True)) == batch


def test_message_models_are_immutable():
    with pytest.raises(ValidationError, match="frozen"):
        Play.model_validate(PLAY).track_name = "Another"  # type: ignore[misc]  # as tested


@pytest.mark.parametrize(
    ("instant", "written"),
    [
        (NOON, "2026-11-01T12:00:00.000Z"),
        (NOON + timedelta(microseconds=123_999), "2026-11-01T12:00:00.123Z"),
        (NOON.astimezone(timezone(timedelta(hours=-5, minutes=-30))), "2026-11-01T12:00:00.000Z"),
    ],
    ids=["whole", "microseconds", "another zone"],
)
def test_times_are_written_in_utc_with_milliseconds_as_spotify_does(instant, written):
    assert iso(instant) == written


@pytest.mark.parametrize("content", [{"plays": [PLAY]}, {"report": POLL}], ids=["plays", "report"])
def test_a_batch_with_plays_or_a_report_needs_a_listener(content):
    healing = BATCH | {"listener": None, "source": None}
    assert EnrichedBatch.model_validate(healing).plays == ()

    with pytest.raises(ValidationError, match="needs a listener"):
        EnrichedBatch.model_validate(healing | content)
