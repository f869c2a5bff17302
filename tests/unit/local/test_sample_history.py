import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zipfile import ZipFile

import pytest

from infra.local.sample_history import write_history_zip

UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
SINCE = datetime(2014, 1, 1, tzinfo=UTC)
AS_OF = datetime(2022, 5, 1, tzinfo=UTC)
PLAYS = 20_000
KEYS = (
    *("ts", "platform", "ms_played", "conn_country", "ip_addr", "master_metadata_track_name"),
    *("master_metadata_album_artist_name", "master_metadata_album_album_name"),
    *("spotify_track_uri", "episode_name", "episode_show_name", "spotify_episode_uri"),
    *("audiobook_title", "audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title"),
    *("reason_start", "reason_end", "shuffle", "skipped", "offline", "offline_timestamp"),
    "incognito_mode",
)


class Export:
    """A written export, read again with nothing but the standard library."""

    def __init__(self, path, **options):
        asked = {"plays": PLAYS, "until": UNTIL, "since": SINCE, **options}
        self.path = path
        self.summary = write_history_zip(path, **asked)
        with ZipFile(path) as archive:
            self.texts = {name: archive.read(name).decode() for name in archive.namelist()}
        self.files = list(map(json.loads, self.texts.values()))
        self.records = [record for records in self.files for record in records]
        self.music = [record for record in self.records if record["spotify_track_uri"]]
        self.plays = {(second(record), record["spotify_track_uri"]) for record in self.music}


def second(record):
    return datetime.fromisoformat(record["ts"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def export(folder):
    return Export(folder / "export.zip")


@pytest.fixture(scope="module")
def earlier(folder):
    return Export(folder / "earlier.zip", as_of=AS_OF)


@pytest.mark.parametrize("which", ["export", "earlier"])
def test_the_summary_counts_equal_the_written_files(request, which):
    export = request.getfixturevalue(which)
    summary = export.summary

    assert (summary.rows, summary.music) == (len(export.records), len(export.music))
    assert summary.distinct_plays == len(export.plays)
    assert summary.distinct_tracks == len({uri for _, uri in export.plays})


def test_the_same_seed_writes_the_same_zip_bytes(tmp_path, export):
    again = Export(tmp_path / "again.zip")

    assert again.path.read_bytes() == export.path.read_bytes()
    assert export.summary.rows == PLAYS


def test_another_seed_writes_different_plays(tmp_path, export):
    other = Export(tmp_path / "other.zip", seed=2)

    assert len(other.plays & export.plays) < 10


def test_export_files_have_spotifys_names_and_indentation(export):
    assert [name.partition("/")[2] for name in export.texts] == [
        "Streaming_History_Audio_2014-2024_0.json",
        "Streaming_History_Audio_2024-2026_1.json",
        "Streaming_History_Video_2014-2026.json",
    ]
    assert next(iter(export.texts.values())) == json.dumps(
        export.files[0], indent=2, ensure_ascii=False
    )


def test_records_have_the_keys_of_a_2025_export(export):
    assert {tuple(record) for record in export.records} == {KEYS}


def test_a_sample_history_can_have_a_single_record(tmp_path):
    assert len(Export(tmp_path / "a.zip", plays=1).records) == 1


def test_a_history_without_a_start_date_has_about_30_plays_a_day(tmp_path):
    export = Export(tmp_path / "a.zip", plays=3_000, since=None)

    assert 90 <= (UNTIL - min(map(second, export.records))).days <= 103


def test_no_play_ends_after_the_export_date(tmp_path):
    busy = Export(tmp_path / "a.zip", plays=9_000, since=UNTIL - timedelta(days=32))

    assert max(map(second, busy.records)) < UNTIL


@pytest.mark.parametrize(
    ("is_odd", "share", "tolerance"),
    [
        pytest.param(lambda r: r["ms_played"] == 0, 0.0455, 0.01, id="zero"),
        pytest.param(lambda r: r["ms_played"] < 30_000, 0.5198, 0.02, id="short"),
        pytest.param(lambda r: r["spotify_episode_uri"], 0.04, 0.01, id="podcast"),
        pytest.param(lambda r: r["audiobook_chapter_uri"], 0.001, 0.0009, id="audiobook"),
        pytest.param(
            lambda r: not [uri for uri in r if uri.endswith("_uri") and r[uri]],
            *(0.007, 0.004),
            id="unnamed",
        ),
    ],
)
def test_skips_podcasts_and_audiobooks_are_as_frequent_as_in_real_exports(
    export, is_odd, share, tolerance
):
    odd = [record for record in export.records if is_odd(record)]

    assert len(odd) / PLAYS == pytest.approx(share, abs=tolerance)


def test_an_eighth_of_records_share_their_second_with_another_and_some_repeat(export):
    together = Counter(map(second, export.records))
    shared = sum(count for count in together.values() if count > 1)

    assert shared / PLAYS == pytest.approx(0.13, abs=0.02)
    assert 20 < len(export.music) - len(export.plays) < 120


def test_distinct_play_times_are_at_least_two_seconds_apart(export):
    instants = sorted(set(map(second, export.records)))

    assert min(right - left for left, right in pairwise(instants)) >= timedelta(seconds=2)


@pytest.mark.parametrize(("plays", "tracks"), [(2_135, 749), (71_052, 11_803)])
def test_the_track_count_is_near_that_of_a_real_export(tmp_path, plays, tracks):
    summary = write_history_zip(tmp_path / "a.zip", plays=plays, until=UNTIL)

    # Real exports of one length differ by two fifths themselves.
    assert tracks / 1.6 < summary.distinct_tracks < tracks * 1.6


def test_an_export_as_of_a_past_date_ends_by_that_date(earlier):
    assert AS_OF - timedelta(days=10) < max(map(second, earlier.records)) <= AS_OF


def test_two_exports_of_one_seed_differ_only_in_plays_moved_by_one_second(export, earlier):
    moved = [
        record
        for record in earlier.music
        if (second(record), record["spotify_track_uri"]) not in export.plays
    ]
    moved_back = {
        (second(record) - timedelta(seconds=1), record["spotify_track_uri"]) for record in moved
    }

    assert 0.005 < len(moved) / len(earlier.plays) < 0.04
    assert moved_back <= export.plays
    assert min(record["ms_played"] for record in moved) > 1_000
