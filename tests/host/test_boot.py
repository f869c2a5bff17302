"""A fresh instance becomes the host of the database, whatever state the volume is in."""

import pytest

from services.loader.migrate import migrate


def test_a_fresh_machine_becomes_a_server_with_checksums_and_unicode(served):
    with served.connected("migrator") as database:
        rows = database.run(
            "SELECT current_setting('data_checksums'), current_setting('server_encoding'), "
            "datcollate::text, datctype::text FROM pg_database WHERE datname = current_database()"
        )

    assert rows == [["on", "UTF8", "C", "C.UTF-8"]]


def test_the_server_takes_all_its_settings_from_our_file(served):
    ours = served.sql(
        "SELECT count(*), string_agg(name || ': ' || error, ' ') FROM pg_file_settings "
        "WHERE sourcefile LIKE '%/conf.d/pipeline.conf' AND (NOT applied OR error IS NOT NULL)"
        # A test's server listens on the loopback only, which its command line says.
        " AND name <> 'listen_addresses'"
    )

    assert ours == "0|"
    assert served.sql("SHOW work_mem") == "8MB"


def test_a_second_boot_changes_nothing(machine):
    machine.run("boot.sh")
    with machine.connected("migrator") as owner:
        migrate(owner)
        before = machine.state()

        machine.run("boot.sh")

        assert machine.state() == before
        assert owner.run("SELECT 1") == [[1]]


def test_another_instance_goes_on_with_the_same_data_and_certificates(machine):
    machine.run("boot.sh")
    with machine.connected("migrator") as owner:
        owner.run("CREATE TABLE kept AS SELECT 42 AS x")
    authority = machine.ca
    machine.replace_instance()

    machine.run("boot.sh")

    with machine.connected("migrator") as owner:
        assert owner.run("TABLE kept") == [[42]]
    assert machine.ca == authority
    assert len([call for call in machine.calls if call.startswith("mkfs")]) == 1


def test_the_volume_and_the_address_are_taken_by_this_instance(served):
    assert (
        "aws ec2 attach-volume --device /dev/sdf --volume-id vol-0123 --instance-id i-0123"
        in served.calls
    )
    assert (
        "aws ec2 associate-address --allocation-id eipalloc-0123 --instance-id i-0123"
        in served.calls
    )


@pytest.mark.parametrize("call", ["ec2-wait", "ec2-attach-volume", "ec2-associate-address"])
def test_what_ec2_refuses_at_first_is_asked_again(machine, call):
    machine.refuse(call)

    machine.run("disk.sh")

    assert machine.home.is_symlink()


def test_a_disk_that_holds_something_is_never_formatted(machine):
    # The mark of an ext4 file system: not ours, and not nothing.
    with machine.volume.open("r+b") as volume:
        volume.seek(1080)
        volume.write(b"\x53\xef")
    before = machine.volume.read_bytes()

    machine.attempt("disk.sh")

    assert machine.volume.read_bytes() == before


def test_a_disk_that_cannot_be_read_is_not_formatted(machine):
    machine.fake("blkid", "exit 8")

    done = machine.attempt("disk.sh")

    assert done.returncode == 1
    assert "cannot tell what is on" in done.stderr
    assert not any(call.startswith("mkfs") for call in machine.calls)


def test_a_volume_that_was_made_larger_is_used_whole(machine):
    machine.run("disk.sh")
    before = len(machine.calls)

    machine.run("disk.sh")

    assert f"xfs_growfs {machine.home}" in machine.calls[before:]


def test_data_of_another_major_are_refused_and_left_alone(machine):
    machine.run("boot.sh")
    (machine.home / "data" / "PG_VERSION").write_text("9\n")

    done = machine.attempt("cluster.sh")

    assert done.returncode == 1
    assert "the data are of Postgres 9" in done.stderr
    assert (machine.home / "data" / "PG_VERSION").read_text() == "9\n"


def test_a_boot_that_was_interrupted_while_it_made_the_data_is_made_good_by_the_next(machine):
    machine.fake("initdb", 'mkdir -p "${1#--pgdata=}"; touch "${1#--pgdata=}/PG_VERSION"; exit 1')
    assert machine.attempt("boot.sh").returncode == 1
    machine.replace_instance()

    machine.run("boot.sh")

    with machine.connected("reader") as database:
        assert database.run("SELECT 1") == [[1]]


def test_a_boot_that_fails_is_told(machine):
    machine.tell_login("loader", "")

    assert machine.attempt("boot.sh").returncode == 1
