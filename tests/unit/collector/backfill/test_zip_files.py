import io
import struct
import zipfile
from tempfile import TemporaryFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collector.backfill import zip_files
from services.collector.backfill.zip_files import history_files, is_history
from shared.errors import UploadError
from tests.unit.collector.backfill.history_examples import a_zip

DAMAGED = "damaged in the zip: download it again"


def read(upload, name="my_spotify_data.zip"):
    """Return the bytes or the error of each file."""
    return {file.name: read_file(file) for file in history_files(upload, name)}


def read_file(file):
    try:
        return b"".join(file.chunks)
    except UploadError as error:
        return str(error)


@pytest.mark.parametrize(
    "path",
    [
        "Spotify Extended Streaming History/Streaming_History_Audio_2014-2021_0.json",
        "Spotify Extended Streaming History/Streaming_History_Audio_2018.json",
        "Spotify Extended Streaming History/Streaming_History_Video_2017-2025.json",
        "MyData/endsong_0.json",
        "endsong.json",
        "endvideo.json",
        "a/b/c/ENDSONG_11.JSON",
        "./endsong_0.json",
        "..\\MyData\\endsong_0.json",
        "endsong_0 (1).json",
        "Spotify Account Data/StreamingHistory_music_0.json",
        "MyData/StreamingHistory0.json",
        "StreamingHistory_podcast_0.json",
    ],
)
def test_history_files_of_every_export_layout_are_recognized_by_path(path):
    assert is_history(path)


@pytest.mark.parametrize(
    "path",
    [
        "ReadMeFirst_ExtendedStreamingHistory.pdf",
        "Spotify Account Data/YourLibrary.json",
        "Spotify Account Data/Payments.json",
        "Wrapped2025.json",
        "__MACOSX/MyData/._endsong_0.json",
        "__MACOSX/endsong_0.json",
        "MyData/._endsong_0.json",
        ".cache/endsong_0.json",
        "endsong_0.json/",
        "endsong_0.json.bak",
        "endsong/notes.json",
        "",
        "/",
    ],
)
def test_files_that_are_not_history_are_ignored(path):
    assert not is_history(path)


def test_history_files_are_read_in_the_order_of_the_zip():
    upload = a_zip(
        {
            "MyData/endsong_1.json": b"[1]",
            "MyData/Read_Me_First.pdf": b"%PDF",
            "MyData/endsong_0.json": b"[0]",
            "__MACOSX/MyData/._endsong_0.json": b"\0\5\x16\7",
        }
    )

    found = read(upload)

    assert list(found.items()) == [
        ("MyData/endsong_1.json", b"[1]"),
        ("MyData/endsong_0.json", b"[0]"),
    ]


@pytest.mark.parametrize("name", ["endsong_0.json", "my plays", "history.JSON"])
def test_a_json_upload_is_read_whatever_its_name(name):
    assert read(io.BytesIO(b"[{}]"), name) == {name: b"[{}]"}


def test_an_upload_is_read_from_its_start_in_chunks(monkeypatch):
    monkeypatch.setattr(zip_files, "CHUNK_BYTES", 4)
    upload = io.BytesIO(b"[1,2,3]")
    upload.seek(0, io.SEEK_END)

    (file,) = history_files(upload, "endsong.json")

    assert list(file.chunks) == [b"[1,2", b",3]"]


def test_a_zip_is_recognized_by_its_content_not_its_name():
    assert read(a_zip({"endsong.json": b"[]"}), "renamed.json") == {"endsong.json": b"[]"}


@pytest.mark.parametrize("content", [b"", b"[{}]", b"<html>"])
def test_a_file_named_zip_that_is_not_a_zip_is_refused(content):
    with pytest.raises(UploadError, match="not a zip file"):
        read(io.BytesIO(content), "My_Data.ZIP")


ONE = {"endsong_0.json": b"[0]"}
TWO = {"endsong_0.json": b"[0]", "endsong_1.json": b"[1]"}
MEMBER, DIRECTORY, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
"""The marks of a member, of its entry in the directory, and of the end of a zip."""


BEGIN = a_zip(ONE).getvalue().index(DIRECTORY)
"""Where the directory of a zip with one file begins."""


def patched(files, *patches):
    """A zip with other values in its records; a patch is (mark, offset, layout, values)."""
    whole = bytearray(a_zip(files).getvalue())
    for mark, offset, layout, *values in patches:
        struct.pack_into(layout, whole, whole.rindex(mark) + offset, *values)
    return io.BytesIO(whole)


def packed(content, method=zipfile.ZIP_STORED):
    """A zip of one file."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        archive.writestr("endsong_0.json", content)
    return whole


@pytest.mark.parametrize(
    ("upload", "reason"),
    [
        pytest.param(io.BytesIO(a_zip(ONE).getvalue()[:-30]),
                     "a damaged or incomplete zip: download it again", id="truncated"),
        pytest.param(patched(ONE, (END, 12, "<L", 9_999)),
                     "a damaged or incomplete zip: download it again", id="long directory"),
        pytest.param(patched(ONE, (END, 10, "<H", 2)),
                     "a damaged or incomplete zip: download it again", id="wrong count"),
        pytest.param(patched(ONE, (DIRECTORY, 9, "<B", 0x08), (DIRECTORY, 46, "<B", 0xFF)),
                     "a zip in an unsupported format: unpack the zip", id="name not in UTF-8"),
        pytest.param(a_zip({"Spotify Account Data/YourLibrary.json": b"{}"}),
                     'a zip without streaming history: request the "Extended', id="no history"),
    ],
)  # fmt: skip
def test_a_zip_that_cannot_be_read_is_refused(upload, reason):
    with pytest.raises(UploadError, match=reason):
        read(upload)


UNUSUAL = "compressed by a method that cannot be read here: unpack the zip and upload what is in it"


@pytest.mark.parametrize(
    ("upload", "reason"),
    [
        pytest.param(patched(ONE, (END, 16, "<L", BEGIN + 1)), DAMAGED, id="before the zip"),
        pytest.param(patched(ONE, (MEMBER, 2, "<B", 0x42)), DAMAGED, id="another mark"),
        pytest.param(patched(ONE, (MEMBER, 3, "<B", 0x45)), DAMAGED, id="another last byte"),
        pytest.param(io.BytesIO(packed(b"[true]").getvalue().replace(b"true", b"null")), DAMAGED,
                     id="wrong checksum"),
        pytest.param(patched(ONE, (DIRECTORY, 8, "<B", 0x01)),
                     "encrypted: unpack the zip and upload what is in it", id="encrypted"),
        pytest.param(patched(ONE, (DIRECTORY, 8, "<B", 0x20)), UNUSUAL, id="patched data"),
        pytest.param(patched(ONE, (DIRECTORY, 8, "<B", 0x40)), UNUSUAL, id="strong encryption"),
        pytest.param(packed(b"[]", zipfile.ZIP_BZIP2), UNUSUAL, id="bzip2"),
        pytest.param(packed(b"[]", zipfile.ZIP_LZMA), UNUSUAL, id="lzma"),
        pytest.param(patched(ONE, (MEMBER, 30, "<B", ord("E"))),
                     "the zip's index and the file's own header give this file different names: "
                     "unpack the zip and upload what is in it", id="two names"),
    ],
)  # fmt: skip
def test_a_zip_member_that_cannot_be_unpacked_is_refused(upload, reason):
    assert read(upload) == {"endsong_0.json": reason}


def test_a_zip_whose_end_record_claims_65535_members_is_read():
    assert read(patched(ONE, (END, 10, "<H", 0xFFFF))) == ONE


def with_offset_of_64_bits(files, *, name, offset):
    """A zip whose directory gives a wrong offset of one member."""
    packed = a_zip(files)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.getinfo(name).header_offset = offset
        archive.comment = b"writes the directory again"
    return io.BytesIO(packed.getvalue())


@pytest.mark.parametrize("offset", [1 << 40, 1 << 63, (1 << 64) - 1])
def test_other_zip_members_are_read_if_one_has_an_offset_beyond_the_end(offset, tmp_path):
    damaged = with_offset_of_64_bits(TWO, name="endsong_1.json", offset=offset)
    on_disk = tmp_path / "upload.zip"
    on_disk.write_bytes(damaged.getvalue())

    expected = ONE | {"endsong_1.json": DAMAGED}
    assert read(damaged) == expected
    with on_disk.open("rb") as file:
        assert read(file) == expected


def test_other_zip_members_are_read_if_one_claims_to_be_longer_than_the_zip():
    upload = patched(
        TWO, (DIRECTORY, 10, "<H", zipfile.ZIP_STORED), (DIRECTORY, 20, "<LL", 1 << 30, 1 << 30)
    )

    assert read(upload) == ONE | {"endsong_1.json": DAMAGED}


@pytest.mark.parametrize(("listed", "own"), [(b"\\", b"/"), (b"/", b"\\"), (b"\\", b"\\")])
def test_a_zip_with_backslashes_in_member_paths_is_read(listed, own):
    whole = a_zip({"MyData/endsong_0.json": b"[0]"}).getvalue()
    begin = whole.index(b"PK\1\2")
    odd = whole[:begin].replace(b"MyData/", b"MyData" + own)
    odd += whole[begin:].replace(b"MyData/", b"MyData" + listed)

    (content,) = read(io.BytesIO(odd)).values()

    assert content == b"[0]"


NUMBERS = st.sampled_from([0, 1, 0xFF, 0xFFFF, 0xFFFF_FFFF, 1 << 63, (1 << 64) - 1])
CHANGES = st.lists(
    st.tuples(
        st.sampled_from([b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7"]),
        st.integers(0, 90),  # a byte within the record or after it
        st.sampled_from([1, 2, 4, 8]),
        NUMBERS | st.integers(0, (1 << 64) - 1),
    ),
    min_size=1,
    max_size=4,
)


def zips():
    """Small zips, with 32-bit and 64-bit fields."""
    plain = a_zip({"endsong_0.json": b"[0]" * 50, "endsong_1.json": b"[1]" * 50})
    large = io.BytesIO()
    with zipfile.ZipFile(large, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("MyData/endsong_0.json", "w", force_zip64=True) as file:
            file.write(b"[0]" * 50)
        archive.writestr("endsong_1.json", b"[1]")
    offset = with_offset_of_64_bits(TWO, name="endsong_1.json", offset=1 << 33)
    return [zipped.getvalue() for zipped in (plain, large, offset)]


@settings(max_examples=400)
@given(
    whole=st.sampled_from(zips()), changes=CHANGES, cut=st.integers(0, 40), on_disk=st.booleans()
)
def test_a_damaged_zip_is_read_or_raises_upload_error(whole, changes, cut, on_disk):
    damaged = bytearray(whole)
    for record, offset, size, number in changes:
        place = max(0, damaged.find(record)) + offset
        damaged[place : place + size] = number.to_bytes(8, "little")[:size]
    with TemporaryFile() if on_disk else io.BytesIO() as file:
        file.write(damaged[: len(damaged) - cut])

        try:
            found = read(file)
        except UploadError:
            found = {}

    assert all(isinstance(content, str) or len(content) <= 150 for content in found.values())


def test_a_zip_inside_a_zip_is_refused_with_advice_to_unpack_the_outer_one():
    inner = a_zip({"endsong_0.json": b"[{}]"}).getvalue()
    upload = a_zip({"more/My.ZIP": inner, "endsong_1.json": b"[]", "__MACOSX/._My.zip": b"x"})

    reason = "the zip contains another zip: unpack the outer zip and upload the inner one by itself"
    assert read(upload) == {"more/My.ZIP": reason, "endsong_1.json": b"[]"}
    assert read(a_zip({"my.zip": inner})) == {"my.zip": reason}


def test_other_zip_members_are_read_if_one_is_damaged():
    upload = a_zip({"endsong_0.json": bytes(range(256)) * 9, "endsong_1.json": b"[1]"})
    damaged = upload.getvalue()[:60] + b"\xff\xff\xff" + upload.getvalue()[63:]

    assert read(io.BytesIO(damaged)) == {
        "endsong_0.json": DAMAGED,
        "endsong_1.json": b"[1]",
    }


def test_a_damaged_zip_member_yields_no_bytes(monkeypatch):
    # zipfile reads 4 KiB at once, and would check the checksum of a shorter member.
    monkeypatch.setattr(zip_files, "CHUNK_BYTES", 4096)
    whole = packed(b"[" + b" " * 20_000 + b"4]").getvalue().replace(b"4]", b"5]")
    files = history_files(io.BytesIO(whole), "upload.zip")
    given: list[bytes] = []

    with pytest.raises(UploadError, match="damaged in the zip"):
        given.extend(next(files).chunks)

    assert given == []


@pytest.mark.parametrize(("limit", "most"), [("MEMBERS", 2), ("DIRECTORY_BYTES", 100)])
def test_a_zip_of_too_many_members_is_refused(monkeypatch, limit, most):
    monkeypatch.setattr(zip_files, limit, most)

    with pytest.raises(UploadError, match="a zip of more than 2000 files"):
        read(a_zip({f"endsong_{n}.json": b"[]" for n in range(3)}))


def test_zip_members_beyond_the_total_unpacked_size_limit_are_refused(monkeypatch):
    monkeypatch.setattr(zip_files, "TOTAL_BYTES", 30)
    upload = a_zip({"endsong_0.json": bytes(range(20)), "endsong_1.json": bytes(range(20))})

    assert read(upload) == {
        "endsong_0.json": bytes(range(20)),
        "endsong_1.json": "the upload unpacks to more than 0 GiB: upload it in parts",
    }


def test_a_zip_bomb_is_refused_before_it_is_fully_unpacked(monkeypatch):
    unpacked, unpack = [], zipfile.ZipExtFile.read

    def counted(file, size):
        unpacked.append(unpack(file, size))
        return unpacked[-1]

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    files = history_files(a_zip({"endsong_0.json": bytes(40 << 20)}), "bomb.zip")

    with pytest.raises(UploadError, match="a zip bomb does"):
        list(next(files).chunks)

    assert sum(map(len, unpacked)) == zip_files.RATIO_FREE_BYTES + zip_files.CHUNK_BYTES


def test_a_zip_bomb_spread_over_many_members_is_refused():
    part = bytes(10 << 20)

    found = read(a_zip({f"endsong_{n}.json": part for n in range(4)}))

    bomb = (
        "unpacks to more than 200 times its size, as a zip bomb does: "
        "unpack the zip and upload what is in it"
    )
    assert list(found.values()) == [part, bomb, bomb, bomb]


def test_highly_compressible_rows_are_not_refused_as_a_zip_bomb():
    like = b'{"ts": "2026-05-02T18:31:37Z"}, ' * 100_000

    assert read(a_zip({"endsong_0.json": like})) == {"endsong_0.json": like}
