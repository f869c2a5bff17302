import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import groupby, pairwise
from statistics import mean
from zipfile import ZipFile

import pytest

from infra.local import catalogue
from infra.local.sample_history import HistorySummary, Shares, write_history_zip
from infra.local.sample_history.story import first_day, sessions

UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
SINCE = datetime(2014, 1, 1, tzinfo=UTC)
AS_OF = datetime(2022, 5, 1, tzinfo=UTC)
PLAYS = 20_000
LATER_KEYS = [
    *("ts", "platform", "ms_played", "conn_country", "ip_addr", "master_metadata_track_name"),
    *("master_metadata_album_artist_name", "master_metadata_album_album_name"),
    *("spotify_track_uri", "episode_name", "episode_show_name", "spotify_episode_uri"),
    *("audiobook_title", "audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title"),
    *("reason_start", "reason_end", "shuffle", "skipped", "offline", "offline_timestamp"),
    "incognito_mode",
]


class Export:
    """A written export, read again with nothing but the standard library."""

    def __init__(self, path, **options):
        asked = {"plays": PLAYS, "until": UNTIL, "since": SINCE, **options}
        self.path = path
        self.summary = write_history_zip(path, **asked)
        with ZipFile(path) as archive:
            self.names = archive.namelist()
            self.texts = [archive.read(name).decode() for name in self.json_names()]
        self.files = [json.loads(text) for text in self.texts]
        self.records = [record for records in self.files for record in records]
        self.audio = [record for records in self.files[:-1] for record in records]

    def json_names(self):
        return [name for name in self.names if name.endswith(".json")]


def item(record):
    """Give what was played, whatever it was."""
    uris = ("spotify_track_uri", "spotify_episode_uri", "audiobook_chapter_uri")
    return next((record[uri] for uri in uris if record.get(uri)), None)


def second(record):
    return datetime.fromisoformat(record["ts"])


def plays(records):
    """Give the different plays of tracks, by the key of a loader."""
    return {(record["ts"], record["spotify_track_uri"]) for record in music(records)}


def music(records):
    return [record for record in records if record["spotify_track_uri"]]


def noted_start(record):
    """Read an `offline_timestamp` in the unit of its size, in seconds."""
    noted = record["offline_timestamp"]
    return noted // 1_000 if noted > 10**11 else noted


def seconds(export):
    """Gather the records of each second of each file."""
    for records in export.files:
        for _, together in groupby(sorted(records, key=second), key=second):
            yield list(together)


def recounted(export):
    """Count again what a summary counts."""
    records = export.records
    tracks = music(records)
    shared = [len(own) for own in seconds(export) if len(set(map(item, own))) > 1]
    items = [len(own) - len(set(map(item, own))) for own in seconds(export)]
    whole = [len(own) - len(set(map(json.dumps, own))) for own in seconds(export)]
    return HistorySummary(
        rows=len(records),
        music=len(tracks),
        podcasts=sum(bool(record["spotify_episode_uri"]) for record in records),
        audiobooks=sum(bool(record.get("audiobook_uri")) for record in records),
        unnamed=sum(item(record) is None for record in records),
        distinct_plays=len(plays(records)),
        distinct_tracks=len({record["spotify_track_uri"] for record in tracks}),
        same_second=sum(shared),
        again=sum(items),
        again_whole=sum(whole),
        zero=sum(record["ms_played"] == 0 for record in records),
        short=sum(record["ms_played"] < 30_000 for record in records),
        files=tuple(name.rpartition("/")[2] for name in export.json_names()),
        first_ts=min(map(second, records)),
        last_ts=max(map(second, records)),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def new(folder):
    return Export(folder / "new.zip")


@pytest.fixture(scope="module")
def old(folder):
    return Export(folder / "old.zip", layout="endsong", until=datetime(2023, 6, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def earlier(folder):
    return Export(folder / "earlier.zip", as_of=AS_OF)


@pytest.mark.parametrize("which", ["new", "old", "earlier"])
def test_the_summary_equals_the_content_of_the_files(request, which):
    export = request.getfixturevalue(which)

    assert export.summary == recounted(export)


def test_there_are_as_many_records_as_asked_for(new):
    assert new.summary.rows == PLAYS


# The zip


def test_the_same_seed_gives_the_same_bytes(tmp_path, new):
    again = Export(tmp_path / "again.zip")

    assert again.path.read_bytes() == new.path.read_bytes()


def test_another_seed_gives_another_history(tmp_path):
    one = Export(tmp_path / "1.zip", plays=200, seed=1)
    other = Export(tmp_path / "2.zip", plays=200, seed=2)

    assert plays(one.records) & plays(other.records) == set()


def test_files_lie_in_one_folder_beside_a_guide(new):
    assert new.names[0].endswith("/ReadMeFirst_ExtendedStreamingHistory.pdf")
    assert {name.partition("/")[0] for name in new.names} == {"Spotify Extended Streaming History"}


def test_the_zip_is_a_tenth_of_its_files_or_less(new):
    assert new.path.stat().st_size * 10 < sum(map(len, new.texts))


def test_file_names_have_their_years_and_a_number(new):
    assert [name.partition("/")[2] for name in new.json_names()] == [
        "Streaming_History_Audio_2014-2023_0.json",
        "Streaming_History_Audio_2023-2026_1.json",
        "Streaming_History_Video_2015-2026.json",
    ]


def test_a_file_of_one_year_names_it_once(tmp_path):
    export = Export(tmp_path / "a.zip", plays=200, since=datetime(2026, 2, 1, tzinfo=UTC))

    assert export.summary.files[0] == "Streaming_History_Audio_2026_0.json"


def test_files_are_indented_and_hold_names_as_they_are(new):
    assert new.texts[0] == json.dumps(new.files[0], indent=2, ensure_ascii=False)


def test_old_files_have_old_names(old):
    assert old.json_names() == [
        "MyData/endsong_0.json",
        "MyData/endsong_1.json",
        "MyData/endvideo.json",
    ]


def test_too_many_plays_for_the_time_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^98000 plays do not fit into 9 days$"):
        write_history_zip(
            tmp_path / "a.zip", plays=100_000, until=UNTIL, since=UNTIL - timedelta(days=10)
        )

    assert list(tmp_path.iterdir()) == []


def test_a_history_may_be_a_single_record(tmp_path):
    export = Export(tmp_path / "a.zip", plays=1)

    assert export.summary == recounted(export)
    assert export.summary.rows == 1


def test_a_history_begins_late_enough_for_thirty_plays_a_day(tmp_path):
    export = Export(tmp_path / "a.zip", plays=3_000, since=None)

    assert 90 <= (UNTIL - export.summary.first_ts).days <= 103


def test_nothing_is_played_after_the_export(tmp_path):
    busy = Export(tmp_path / "a.zip", plays=9_000, since=UNTIL - timedelta(days=32))

    assert busy.summary.last_ts < UNTIL


# Layouts


def test_records_of_2025_have_the_keys_of_audiobooks(new):
    assert {tuple(record) for record in new.records} == {tuple(LATER_KEYS)}


def test_records_of_2024_have_none_of_them(tmp_path):
    export = Export(tmp_path / "a.zip", plays=500, layout="audio-2024")

    expected = tuple(key for key in LATER_KEYS if not key.startswith("audiobook"))

    assert {tuple(record) for record in export.records} == {expected}
    assert len(expected) == 19


def test_old_records_name_the_user_and_the_address_otherwise(old):
    keys = set(old.records[0])

    assert len(keys) == 21
    assert {"username", "ip_addr_decrypted", "user_agent_decrypted"} < keys
    assert "ip_addr" not in keys


def test_the_layout_does_not_change_what_was_played(tmp_path):
    new, middle = (
        Export(tmp_path / f"{layout}.zip", layout=layout) for layout in ("audio-2025", "audio-2024")
    )

    assert plays(new.records) == plays(middle.records)
    assert middle.summary.unnamed == new.summary.unnamed + new.summary.audiobooks


def test_new_files_are_in_order_of_time(new):
    assert [left for left, right in pairwise(new.audio) if left["ts"] > right["ts"]] == []


def test_old_files_are_in_no_order(old):
    backwards = [left for left, right in pairwise(old.files[0]) if left["ts"] > right["ts"]]

    assert len(backwards) > len(old.files[0]) / 3


def test_old_records_do_not_know_whether_a_track_was_skipped(old, new):
    assert {record["skipped"] for record in old.records} == {None}
    assert {record["skipped"] for record in new.records} == {True, False}


def test_platforms_have_short_names_since_october_2023(new):
    before = {record["platform"] for record in new.audio if record["ts"] < "2023-10-01"}
    since = {record["platform"] for record in new.audio if record["ts"] > "2023-10-01"}

    assert min(map(len, before)) > len("not_applicable")
    assert since == {"android", "ios", "windows", "osx", "linux", "not_applicable"}


# Oddities


@pytest.mark.parametrize(
    ("field", "share", "tolerance"),
    [
        ("same_second", 0.1255, 0.02),
        ("again", 0.0032, 0.002),
        ("zero", 0.0455, 0.01),
        ("short", 0.5198, 0.02),
        ("unnamed", 0.007, 0.004),
        ("podcasts", 0.037, 0.01),
        ("audiobooks", 0.001, 0.0009),
    ],
)
def test_oddities_are_as_frequent_as_in_real_exports(new, field, share, tolerance):
    assert getattr(new.summary, field) / new.summary.rows == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize(
    ("plays", "tracks"),
    [
        pytest.param(507, 264, id="video files in the mean"),
        pytest.param(2_135, 749, id="all files in the mean"),
        pytest.param(71_052, 11_803, id="a whole export"),
        pytest.param(77_800, 16_230, id="another"),
        pytest.param(149_860, 14_637, id="a third"),
    ],
)
def test_tracks_are_about_as_many_as_in_real_exports_of_that_length(plays, tracks):
    here = mean(distinct_tracks(plays, person) for person in range(3))

    # Real exports of one length differ by two fifths themselves.
    assert tracks / 1.6 < here < tracks * 1.6


def distinct_tracks(plays, person):
    story = sessions(
        plays,
        since=first_day(plays, UNTIL),
        until=UNTIL,
        rng=catalogue.dice(person),
        shares=Shares(),
    )
    return len({row.number for session in story for row in session if row.kind == "track"})


def test_shares_are_a_choice(tmp_path):
    plain = Shares(same_second=0.0, again=0.0, zero=0.0, short=0.0, podcast=1.0)

    export = Export(tmp_path / "a.zip", plays=2_000, shares=plain)

    assert min(record["ms_played"] for record in export.audio) >= 30_000
    assert [record for record in export.audio if not record["spotify_episode_uri"]] == []
    assert len({record["ts"] for record in export.audio}) == len(export.audio)


def test_repeated_records_repeat_every_field_or_differ_in_length(tmp_path):
    often = Shares(again=0.2, same_second=0.0)

    summary = Export(tmp_path / "a.zip", plays=3_000, shares=often).summary

    assert summary.again / summary.rows == pytest.approx(0.2, abs=0.03)
    assert summary.again_whole / summary.again == pytest.approx(0.41, abs=0.05)


def test_records_without_uri_in_one_second_are_counted_as_repeats(tmp_path):
    export = Export(tmp_path / "a.zip", shares=Shares(podcast=0.0, audiobook=0.0, unnamed=1.0))

    assert export.summary.again > 1_000
    assert export.summary == recounted(export)


def test_a_few_favourites_make_up_most_of_the_plays(new):
    uris = [record["spotify_track_uri"] for record in music(new.audio)]

    counts = sorted(map(uris.count, set(uris)), reverse=True)

    assert sum(counts[: len(counts) // 5]) > len(uris) / 2
    assert counts[len(counts) // 2] <= 2


def test_other_plays_are_two_seconds_apart_or_more(new):
    instants = sorted(set(map(second, new.audio)))

    assert min(right - left for left, right in pairwise(instants)) >= timedelta(seconds=2)


def test_a_record_without_uri_has_no_names(new):
    unnamed = [record for record in new.records if item(record) is None]

    named = [key for record in unnamed for key in record if "_name" in key and record[key]]

    assert len(unnamed) > 50
    assert named == []


def test_a_record_names_one_thing_only(new):
    uris = ("spotify_track_uri", "spotify_episode_uri", "audiobook_chapter_uri")

    assert {sum(bool(record[uri]) for uri in uris) for record in new.records} == {0, 1}


def test_a_video_file_holds_podcasts_mostly_and_no_record_of_the_audio_files(new):
    episodes = [record for record in new.files[-1] if record["spotify_episode_uri"]]

    assert len(episodes) / len(new.files[-1]) > 0.75
    assert len(music(new.files[-1])) > 10
    assert set(map(item, new.files[-1])) & set(map(item, new.audio)) <= {None}


def test_a_noted_start_is_the_end_minus_the_length(new):
    noted = [record for record in new.audio if (record["offline_timestamp"] or 0) >= 1_000]

    off = sorted(
        abs(second(record).timestamp() - record["ms_played"] // 1_000 - noted_start(record))
        for record in noted
    )

    assert off[len(off) // 2] == 0
    assert off[len(off) * 9 // 10] <= 14
    assert 14 < off[-1] <= 86_400


def test_the_unit_of_a_noted_start_changed_with_the_years(new):
    noted = [record for record in new.audio if (record["offline_timestamp"] or 0) >= 1_000]

    in_ms = {record["ts"][:4] for record in noted if record["offline_timestamp"] > 10**11}
    in_s = {record["ts"][:4] for record in noted if record["offline_timestamp"] < 10**11}

    assert in_ms == {str(year) for year in range(2015, 2023)}
    assert in_s == {"2014", "2023", "2024", "2025", "2026"}


def test_some_noted_starts_are_no_time_at_all(new):
    odd = [r for r in new.records if 0 < (r["offline_timestamp"] or 0) < 1_000]

    assert 1 <= len(odd) <= 30


def test_no_start_is_null_in_a_new_export_and_zero_in_an_old_one(new, old):
    starts = {record["offline_timestamp"] for record in new.records}

    assert (None in starts, 0 in starts) == (True, False)
    assert [r for r in old.records if r["offline_timestamp"] is None] == []
    assert 0 in {record["offline_timestamp"] for record in old.records}


def test_reasons_are_those_of_real_exports_and_sometimes_missing(new):
    ends = {record["reason_end"] for record in new.records}

    assert ends == {
        *("trackdone", "fwdbtn", "backbtn", "endplay", "logout", "remote", "clickrow"),
        *("trackerror", "unknown", "unexpected-exit", "unexpected-exit-while-paused", "", None),
    }
    assert {"trackdone", "appload", "playbtn"} < {record["reason_start"] for record in new.records}


def test_names_are_as_troublesome_as_real_ones(new):
    text = "".join(record["master_metadata_track_name"] for record in music(new.records))

    assert {mark for mark in 'ü夜🌙"é' if mark not in text} == set()
    assert max(len(r["master_metadata_track_name"]) for r in music(new.records)) > 255


def test_times_are_written_as_spotify_does(new):
    assert [r for r in new.records if not re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", r["ts"])] == []


def test_addresses_are_reserved_for_documentation(new):
    documentation = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
    addresses = {ip_address(record["ip_addr"]) for record in new.records}

    networks = {net for net in documentation for ip in addresses if ip in ip_network(net)}
    others = [ip for ip in addresses if not any(ip in ip_network(net) for net in documentation)]

    assert networks == set(documentation)
    assert others == []


def test_every_track_is_in_the_catalogue_under_its_name(new):
    tracks = {r["spotify_track_uri"]: r["master_metadata_track_name"] for r in music(new.records)}

    found = {uri: catalogue.find_track(uri.rpartition(":")[2]) for uri in tracks}

    assert {uri: track.name for uri, track in found.items()} == tracks


def test_the_artist_of_a_record_is_the_one_of_the_album(new):
    named = {
        (r["spotify_track_uri"], r["master_metadata_album_artist_name"]) for r in music(new.records)
    }
    tracks = [catalogue.find_track(uri.rpartition(":")[2]) for uri, _ in named]

    assert named == {(track.uri, track.album.artist.name) for track in tracks}
    assert "Various Artists" in {artist for _, artist in named}


# Two exports of one person


def test_an_earlier_export_ends_at_its_time(earlier):
    assert AS_OF - timedelta(days=10) < earlier.summary.last_ts <= AS_OF


def test_two_exports_share_all_plays_but_a_few_that_moved_by_a_second(new, earlier):
    later = plays(new.records)

    moved = plays(earlier.records) - later
    back = {
        ((datetime.fromisoformat(ts) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ"), uri)
        for ts, uri in moved
    }

    assert 0.01 < len(moved) / earlier.summary.distinct_plays < 0.04
    assert back <= later


def test_only_plays_above_a_second_move(new, earlier):
    later = plays(new.records)

    moved = [r for r in music(earlier.records) if (r["ts"], r["spotify_track_uri"]) not in later]

    assert min(record["ms_played"] for record in moved) > 1_000


def test_an_earlier_export_leaves_open_what_the_later_one_denies(new, earlier):
    assert {record["skipped"] for record in earlier.records} == {True, None}
    assert 0 in {record["offline_timestamp"] for record in earlier.records}
    assert None not in {record["offline_timestamp"] for record in earlier.records}


def test_an_earlier_export_may_have_an_older_layout(tmp_path, new):
    endsong = Export(tmp_path / "a.zip", layout="endsong", as_of=AS_OF)

    shared = plays(endsong.records) & plays(new.records)

    assert len(shared) / endsong.summary.distinct_plays > 0.95


# The command


def test_the_command_writes_the_zip_and_prints_the_summary(tmp_path):
    path = tmp_path / "out.zip"
    command = [sys.executable, "-m", "infra.local.sample_history", str(path), "--plays", "300"]

    done = subprocess.run(  # noqa: S603 - our own module
        [*command, "--seed", "7", "--until", "2026-11-20"], capture_output=True, check=True
    )

    summary = json.loads(done.stdout)
    same = Export(tmp_path / "same.zip", plays=300, seed=7, since=None)
    assert (summary["rows"], summary["music"]) == (300, same.summary.music)
    assert path.read_bytes() == same.path.read_bytes()
