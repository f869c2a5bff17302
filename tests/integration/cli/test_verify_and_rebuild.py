"""Drills: loss, then `plays rebuild`, then `plays verify` finds nothing."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from services.collector.backfill.domain.json_stream import read_rows
from services.collector.backfill.domain.rows import Skipped
from services.loader.ledger import STATE_LOST
from shared.models import TrackFeatures, iso
from tests.fakes.aws import make_table
from tests.integration.cli.conftest import DatabaseTarget
from tests.integration.cli.pipeline import (
    BUCKET,
    QUEUES,
    TABLES,
    Pipeline,
    history,
)
from tests.unit.collector.backfill.history_examples import a_row as an_export_row

START = datetime(2026, 11, 23, 8, tzinfo=UTC)


class PipelineTarget(DatabaseTarget):
    @property
    def outputs(self):
        sqs = self.session.client("sqs")
        names = {
            "UploadedFiles": QUEUES[0],
            "CollectedPlays": QUEUES[1],
            "EnrichedPlays": QUEUES[2],
        }
        return {
            **super().outputs,
            "ListenerStateTable": "listener-state",
            "ListenerSecretPrefix": "listener/",
            "LoaderFunction": "loader",
            **{
                f"{k}QueueUrl": sqs.get_queue_url(QueueName=v)["QueueUrl"] for k, v in names.items()
            },
            **{
                f"{k}DlqUrl": sqs.get_queue_url(QueueName=f"{v}-dlq")["QueueUrl"]
                for k, v in names.items()
            },
        }


@pytest.fixture
def target(target):
    """The target of this folder, as a whole pipeline; moto gives versions, and no fixed one."""
    whole = PipelineTarget(target.name, target.stack, target.session, via=target.via)
    whole.reader_address, whole.faults = target.reader_address, target.faults
    whole.functions = target.functions
    return whole


@pytest.fixture
def pipeline(target, database, owner, monkeypatch):
    monkeypatch.setattr("cli.waiting.PAUSE_S", 0)
    sqs, s3 = target.client("sqs"), target.client("s3")
    for name in QUEUES[:2]:
        sqs.create_queue(QueueName=name)
        sqs.create_queue(QueueName=f"{name}-dlq")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for table, key in (("listener-state", "listener"), ("spotify-app", "app")):
        make_table(table, key)
    login = {
        "client_id": "app", "client_secret": "", "refresh_token": "AQ-0",
        "authorized_at": iso(START),
    }  # fmt: skip
    secrets = target.client("secretsmanager")
    secrets.create_secret(Name="listener/me", SecretString=json.dumps(login))
    pipeline = Pipeline(target, database, owner, START)
    pipeline.features["spotify:track:230700"] = TrackFeatures(
        track_uri="spotify:track:230700", energy=0.5, source="reccobeats", fetched_at=START
    )
    yield pipeline
    for table in TABLES:
        owner.run(f"DROP TABLE IF EXISTS derived.dump_{table}")


@pytest.fixture
def rows(database):
    return database.run


@pytest.fixture
def lived(pipeline):
    """Two exports of one account, one moved by a second, and polls of two days with a gap."""
    ends = [START - timedelta(minutes=4 * n) for n in range(40)]
    rows = [
        an_export_row(ts=iso(end)[:19] + "Z", ms_played=100_000 + n) for n, end in enumerate(ends)
    ]
    moved = [
        row | {"ts": iso(end + timedelta(seconds=1))[:19] + "Z"}
        for row, end in zip(rows, ends, strict=True)
    ]
    # The API shows this play too, under the same uri.
    both = an_export_row(ts="2026-11-23T07:00:20Z", spotify_track_uri="spotify:track:230700")
    pipeline.upload("a.json", history(*rows, both))
    pipeline.upload("b.json", history(*moved, an_export_row(ts="no time")))
    pipeline.poll(1, 0.5)
    pipeline.poll(1.5, 1, 0.4, after_h=0.5)
    # Spotify shows 50 plays, and these do not reach back.
    pipeline.poll(*(n / 20 for n in range(1, 51)), after_h=20)
    pipeline.drain()
    return pipeline


def findings(result):
    return {found["kind"]: found for found in json.loads(result.stdout)["findings"]}


def test_verify_finds_nothing_after_a_complete_load(plays, lived):
    result = plays("verify")

    assert result.exit_code == 0, result.output
    assert "Postgres agrees with the archive" in result.stdout
    assert len(lived.content()["gaps"]) == 1


def test_a_rebuild_loads_what_a_restored_backup_lacks(plays, lived):
    lived.dump()
    lived.poll(0.5, 0.8, 1.05, after_h=1)
    lived.upload("c.json", history(an_export_row(ts="2026-11-24T01:00:00Z")))
    lived.drain()
    before = lived.content()
    lived.restore()

    lost = plays("verify", "--json")
    found = findings(lost)
    since = found["answers not in Postgres"]["next"].partition("--from ")[2]
    rebuilt = plays("rebuild", "--from", since, "--json")
    lived.drain()
    uploads = plays("rebuild")
    lived.drain()

    assert lost.exit_code == 3
    assert found["plays missing"]["count"] == 3
    assert found["uploads not loaded"]["examples"] == ["history/me/c.json"]
    assert json.loads(rebuilt.stdout)["answers"] == 1
    assert uploads.exit_code == 0
    assert lived.content() == before
    assert lived.ledger_adds_up()
    assert plays("verify").exit_code == 0


def test_a_poll_after_a_restore_opens_a_gap_until_the_rebuild(plays, lived, rows):
    lived.dump()
    lived.poll(0.5, 1.05, after_h=1)
    lived.drain()
    lived.restore()
    lived.poll(1.5, 0.2, after_h=1)
    lived.drain()

    told = rows("SELECT reason FROM gap WHERE awaits IS NOT NULL")
    plays("rebuild")
    lived.drain()

    assert len(told) == 1
    assert rows("SELECT count(*) FROM gap WHERE awaits IS NOT NULL") == [[0]]
    assert plays("verify").exit_code == 0


@pytest.mark.parametrize(
    "deletion",
    [
        f"TRUNCATE track_features, {', '.join(TABLES)}",
        "DELETE FROM listening_history",
        "DELETE FROM listening_history; DELETE FROM gap; DELETE FROM poll",
    ],
)
def test_a_rebuild_restores_rows_deleted_by_hand(plays, lived, owner, rows, deletion):
    before = lived.content()
    features = rows("SELECT track_uri, energy FROM track_features")
    for statement in deletion.split("; "):
        owner.run(statement)

    broken = plays("verify", "--json")
    plays("rebuild")
    lived.drain()

    assert broken.exit_code == 3
    assert lived.content() == before
    assert rows("SELECT track_uri, energy FROM track_features") == features != []
    assert lived.ledger_adds_up()
    after = plays("verify")
    assert after.exit_code == 0, after.output


def test_deleted_plays_stay_out_of_a_rebuilt_database(plays, lived, owner, rows):
    ((uri,), *_) = rows(
        "SELECT h.track_uri FROM merged_record JOIN listening_history h ON h.id = play_id"
    )
    deleted = plays("delete", "--track", uri, "--yes")
    before = lived.content()
    clean = plays("verify")
    owner.run(
        f"TRUNCATE track_features, deletion, deleted_play, deleted_record, {', '.join(TABLES)}"
    )

    plays("rebuild")
    lived.drain()

    assert (deleted.exit_code, clean.exit_code) == (0, 0), clean.output
    assert [uri] not in rows("SELECT track_uri FROM listening_history")
    assert rows("SELECT count(*) > 0 FROM deleted_record") == [[True]]
    assert lived.content() == before
    assert lived.ledger_adds_up()
    after = plays("verify")
    assert after.exit_code == 0, after.output


def test_a_rebuild_of_a_complete_database_changes_no_row(plays, lived, rows):
    before = [rows(f"TABLE {table}") for table in TABLES]

    plays("rebuild")
    lived.drain()

    assert [rows(f"TABLE {table}") for table in TABLES] == before


def test_a_rebuild_loads_lost_messages_and_lost_collector_state_opens_a_gap(plays, lived, rows):
    lived.poll(0.5, 1.05, after_h=1)
    lived.lose_messages()
    lived.lose_state()

    plays("rebuild")
    lived.drain()
    older = plays("verify", "--json")
    lived.poll(2, after_h=30)
    lived.drain()

    assert set(findings(older)) == {"collector's state is older"}
    assert [STATE_LOST] in rows("SELECT reason FROM gap")
    # The gap is right: no archived answer reaches back over it.
    assert plays("verify").exit_code == 0


def loaded_uploads(plays, monkeypatch, owner):
    """Return each upload as `plays uploads` does once nothing has moved for long."""
    monkeypatch.setattr("cli.uploads.QUIET", timedelta(0))
    owner.run("UPDATE loaded_batch SET loaded_at = loaded_at - interval '1 hour'")
    found = json.loads(plays("uploads", "--json").stdout)["uploads"]
    return {each["file"]: (each["state"], each["plays_loaded"], each["plays"]) for each in found}


@pytest.mark.parametrize(
    ("sizes", "skips"),
    [((10, 10), True), ((20, 10), False), ((10, 20), False), ((10, 40), True)],
    ids=["reads more", "more batches", "fewer batches", "reads more in fewer batches"],
)
def test_an_upload_stays_complete_after_a_release_that_reads_it_otherwise(
    plays, pipeline, owner, rows, monkeypatch, *, sizes, skips
):
    ends = [iso(START - timedelta(minutes=4 * n))[:19] + "Z" for n in range(40)]
    with monkeypatch.context() as earlier:
        earlier.setattr("services.collector.domain.batches.PLAYS_PER_BATCH", sizes[0])
        if skips:
            earlier.setattr("services.collector.backfill.upload_reader.read_rows", every_other_row)
        pipeline.upload("a.json", history(*(an_export_row(ts=end) for end in ends)))
        pipeline.drain()
    monkeypatch.setattr("services.collector.domain.batches.PLAYS_PER_BATCH", sizes[1])

    plays("rebuild")
    pipeline.drain()

    assert loaded_uploads(plays, monkeypatch, owner) == {"a.json": ("loaded", 40, 40)}
    assert json.loads(plays("uploads", "show", "1", "--json").stdout)["reconciled"]
    assert pipeline.ledger_adds_up()
    after = plays("verify")
    assert after.exit_code == 0, after.output
    before = [rows(f"TABLE {table}") for table in TABLES]
    plays("rebuild")
    pipeline.drain()
    assert [rows(f"TABLE {table}") for table in TABLES] == before


def every_other_row(chunks, uploaded_at):
    """Read as `read_rows` does, but skip every other row."""
    for some in read_rows(chunks, uploaded_at):
        yield [row if n % 2 else Skipped("podcast") for n, row in enumerate(some)]


def test_a_file_is_loaded_once_its_listener_is_added(plays, lived, owner, monkeypatch):
    ends = [iso(START - timedelta(minutes=4 * n))[:19] + "Z" for n in range(600)]
    content = history(*(an_export_row(ts=end) for end in ends))
    lived.upload("anna.json", content, listener="anna")
    lived.drain()
    refused = loaded_uploads(plays, monkeypatch, owner)

    lived.listeners = ["anna", "me"]
    monkeypatch.setattr("cli.listeners.Listeners.names", lived.listeners)
    plays("rebuild")
    lived.drain()

    assert refused["anna.json"] == ("failed", 0, 0)
    assert loaded_uploads(plays, monkeypatch, owner)["anna.json"] == ("loaded", 600, 600)
    assert lived.ledger_adds_up()
    after = plays("verify")
    assert after.exit_code == 0, after.output


def test_rebuild_with_dry_run_sends_no_message(plays, lived, target):
    result = plays("rebuild", "--dry-run", "--json")

    counted = json.loads(result.stdout)
    assert (counted["uploads"], counted["answers"], counted["dry_run"]) == (2, 3, True)
    assert lived.is_empty("collected-plays")
    assert lived.is_empty("uploaded-files")


def test_verify_reports_changed_rows_and_rows_missing_in_the_archive(plays, lived, owner):
    owner.run(
        "UPDATE listening_history SET album_name = 'x', skipped = true "
        "WHERE id = (SELECT min(id) FROM listening_history)"
    )
    owner.run(
        "UPDATE merged_record SET track_name = 'x' "
        "WHERE play_id = (SELECT max(play_id) FROM merged_record)"
    )
    owner.run(
        "INSERT INTO listening_history (track_uri, track_name, artist_name, played_at, listener, "
        "source) VALUES ('spotify:track:none', 'a', 'b', '2020-01-01', 'me', 'recently-played')"
    )

    found = findings(plays("verify", "--json"))

    assert found["fields that differ"]["count"] == 2
    texts = " ".join(found["fields that differ"]["examples"])
    assert "album_name, skipped" in texts
    assert "merged_record" in texts
    assert found["plays without a source"]["count"] == 1
    assert found["ledger does not add up"]["count"] == 1


def test_verify_with_from_ignores_earlier_plays(plays, lived, owner):
    owner.run("DELETE FROM listening_history WHERE played_at < '2026-11-23 07:00+00'")

    assert plays("verify", "--from", "2026-11-23T07:30+00:00").exit_code == 0
    assert plays("verify", "--from", "2026-11-23T06:30+00:00").exit_code == 3


def test_a_rebuild_closes_a_gap_that_archived_polls_cover(plays, lived, owner):
    # A gap of an outage, whose closing message was lost.
    owner.run(
        "INSERT INTO gap (listener, started_at, ended_at, reason, origin) VALUES "
        "('me', '2026-11-23 08:01+00', '2026-11-23 08:05+00', 'Spotify fails', 'outages/me/1')"
    )

    found = findings(plays("verify", "--json"))
    plays("rebuild")
    lived.drain()

    assert set(found) == {"gaps that should be closed"}
    assert plays("verify").exit_code == 0


def test_the_gap_of_a_lost_state_is_closed_once_its_answers_are_loaded(plays, lived, rows):
    open_gaps = "SELECT reason FROM gap WHERE closed_at IS NULL"
    lived.poll(0.5, 1.05, after_h=1)
    lived.lose_messages()
    lived.lose_state()
    lived.poll(1.5, 0.2, after_h=1)
    lived.drain()
    before = rows(open_gaps)

    plays("rebuild")
    lived.drain()

    assert [STATE_LOST] in before
    assert [STATE_LOST] not in rows(open_gaps)
    assert rows("SELECT count(*) FROM gap") == [[len(before)]]
    after = plays("verify")
    assert after.exit_code == 0, after.output


def test_a_rebuild_opens_a_gap_again_that_postgres_lost(plays, lived, owner):
    owner.run("DELETE FROM gap")

    found = findings(plays("verify", "--json"))
    plays("rebuild")
    lived.drain()

    assert set(found) == {"gaps that should be open"}
    assert plays("verify").exit_code == 0


@pytest.mark.parametrize(
    "damage", [lambda _: b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 20, lambda good: good[:40]]
)
def test_verify_reports_a_damaged_poll_in_the_archive(plays, lived, target, damage):
    s3 = target.client("s3")
    (key, *_) = (
        each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="polls/")["Contents"]
    )
    good = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=key, Body=damage(good))

    result = plays("verify", "--json")

    assert result.exit_code == 3
    assert key in str([found["examples"] for found in findings(result).values()])


def test_verify_reports_dead_letters(plays, lived, target):
    url = target.output("CollectedPlaysDlqUrl")
    target.client("sqs").send_message(QueueUrl=url, MessageBody="{}")

    found = findings(plays("verify", "--json"))

    assert found["dead letters"]["examples"] == ["1 of collected-plays"]


def test_verify_reports_an_archived_poll_that_is_not_gzip(plays, lived, target):
    target.client("s3").put_object(
        Bucket=BUCKET, Key="polls/me/2026/12/01/2026-12-01T00:00:00.000Z.json.gz", Body=b"x"
    )

    found = findings(plays("verify", "--json"))

    assert set(found) == {"answers that cannot be read"}


OPEN_GAPS = "SELECT ended_at IS NULL FROM gap WHERE closed_at IS NULL AND reason ~ 'login'"


@pytest.mark.parametrize("reaches_back", [False, True])
def test_a_rebuild_during_an_outage_leaves_its_gap_open(plays, lived, rows, reaches_back):
    lived.fail(after_h=1.5)
    lived.drain()

    during = plays("verify", "--json")
    plays("rebuild")
    lived.drain()
    open_during = rows(OPEN_GAPS)
    # The refused token is tried again an hour later.
    shown = (1, 3.55) if reaches_back else tuple(n / 30 for n in range(1, 51))
    lived.poll(*shown, after_h=2)
    lived.drain()
    after = plays("verify", "--json")

    assert (during.exit_code, after.exit_code) == (0, 0), (during.output, after.output)
    assert open_during == [[True]]
    assert rows(OPEN_GAPS) == ([] if reaches_back else [[False]])


def test_a_gap_without_an_end_is_closed_once_answers_cover_it(plays, lived, owner, rows):
    lived.fail(after_h=1.5)
    lived.drain()
    # Its message is lost.
    lived.poll(1, 3.55, after_h=2)
    lived.lose_messages()

    found = findings(plays("verify", "--json"))
    plays("rebuild")
    lived.drain()

    assert "gaps that should be closed" in found
    assert rows("SELECT count(*) FROM gap WHERE closed_until = 'infinity'") == [[0]]
    assert rows(OPEN_GAPS) == []
    assert plays("verify").exit_code == 0


def test_a_closed_outage_hides_no_later_gap_that_is_missing(plays, lived, owner):
    owner.run(
        "INSERT INTO gap (listener, started_at, reason, origin, closed_at, closed_by, closed_until)"
        " VALUES ('me', '2026-11-23 07:30+00', 'Spotify fails', 'outages/me/1', now(), 'a', "
        "'2026-11-23 08:05+00'); DELETE FROM gap WHERE closed_at IS NULL"
    )

    found = findings(plays("verify", "--json"))

    assert set(found) == {"gaps that should be open"}


def test_what_arrives_while_verify_runs_is_left_out(plays, lived, monkeypatch):
    def arrive(*_):
        lived.poll(1, 1.05, after_h=1)
        lived.upload("c.json", history(an_export_row(ts="2026-11-24T01:00:00Z")))
        return 0

    monkeypatch.setattr("cli.commands.verify.wait_for_quiet", arrive)

    result = plays("verify", "--json")

    assert result.exit_code == 0, result.output
    assert (json.loads(result.stdout)["answers"], json.loads(result.stdout)["uploads"]) == (3, 2)


def test_a_lost_upload_is_no_difference_once_its_file_is_loaded_again(plays, lived):
    content = history(an_export_row(ts="2026-11-20T01:00:00Z"))
    lived.upload("c.json", content)
    lived.lose_messages()
    lost = plays("verify", "--json")
    lived.upload("c.json", content)
    lived.drain()

    after = plays("verify")

    assert "uploads not loaded" in findings(lost)
    assert after.exit_code == 0, after.output
