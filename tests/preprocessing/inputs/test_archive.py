"""Tests of preprocessing.inputs.archive, unpack and tar_stream: archives made here."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import stat
import struct
import tarfile
import zlib

import fake_archives as archives
import pytest

from code_t5 import errors
from preprocessing.inputs import archive, source, unpack

FILES = {
    "Alpha/app/main/a_0.py": b"a = 0\n",
    "Alpha/app/dev/a_1.py": b"a = 1\r\n",
    "Avocado/lib/main/b_0.py": b"\xff\xfe",
    "beta/tool/main/c_0.py": b"c = 0\n",
}
MAIN = f"{archives.LANGUAGES}/Alpha/app/main"
GOOD = archives.member(f"{MAIN}/good_0.py", b"good\n")


def _source(path, *, select=("*",), **limits):
    return archive.ArchiveSource(
        str(path),
        selection=list(select),
        downloads_dir=path.parent / "downloads",
        limits=unpack.ArchiveLimits(**limits),
    )


def _unpacked(tmp_path, data, **options):
    """Unpacks an archive and returns `{path below v3: bytes}` and the counts."""
    (tmp_path / "set.tar.gz").write_bytes(data)
    output = tmp_path / "sources/dev"
    fields, _ = source.prepare_tree(_source(tmp_path / "set.tar.gz", **options), output_dir=output)
    v3 = output / "v3"
    return {
        p.relative_to(v3).as_posix(): p.read_bytes() for p in v3.rglob("*") if p.is_file()
    }, fields["counts"]


def _refusal(tmp_path, data, **options):
    """Returns the line with which an archive is refused; nothing may be left but the archive."""
    with pytest.raises(errors.InputError) as info:
        _unpacked(tmp_path, data, **options)
    assert "\n" not in str(info.value)
    assert sorted(os.listdir(tmp_path)) == ["set.tar.gz", "sources"]
    assert os.listdir(tmp_path / "sources") == [".dev.lock"]
    assert (tmp_path / "set.tar.gz").read_bytes() == data
    return str(info.value)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("top", ["set", ".", "deep/down/set"])
def test_organisations_that_match_come_out_of_both_halves(tmp_path, mode, top):
    data = archives.tar_bytes(archives.flcc_members(FILES, top=top), mode=mode)
    found, counts = _unpacked(tmp_path, data, select=["A*"])
    assert found == {
        "languages/Python/.py/Alpha/app/main/a_0.py": b"a = 0\n",
        "languages/Python/.py/Alpha/app/dev/a_1.py": b"a = 1\r\n",
        "languages/Python/.py/Avocado/lib/main/b_0.py": b"\xff\xfe",
        "repositories/Alpha/app/dev/paths.json": b"{}",
        "repositories/Alpha/app/main/paths.json": b"{}",
        "repositories/Avocado/lib/main/paths.json": b"{}",
    }
    assert (counts["num_repositories"], counts["num_files"], counts["size_bytes"]) == (2, 3, 15)
    assert counts["skipped"] == {}


def test_several_patterns_and_any_language(tmp_path):
    members = archives.flcc_members(FILES)
    members.append(archives.member("set/v3/languages/Java/.java/beta/tool/main/M_1.java", b"class"))
    found, counts = _unpacked(tmp_path, archives.tar_bytes(members), select=["Av*", "bet?"])
    assert counts["num_files"] == 3
    assert found["languages/Java/.java/beta/tool/main/M_1.java"] == b"class"


def test_the_archive_is_recorded(tmp_path):
    data = archives.tar_bytes(archives.flcc_members(FILES))
    _, counts = _unpacked(tmp_path, data)
    assert counts["facts"] == {
        "archive_sha256": hashlib.sha256(data).hexdigest(),
        "archive_size_bytes": len(data),
        "num_members": 8,
    }


def test_owner_mode_and_time_are_our_own(tmp_path):
    odd = archives.member(f"{MAIN}/a_0.py", b"x", mode=0o6777, uid=12345, gid=12345, mtime=1)
    _unpacked(tmp_path, archives.tar_bytes([odd]))
    path = tmp_path / "sources/dev/v3/languages/Python/.py/Alpha/app/main/a_0.py"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 & ~mask
    assert path.stat().st_uid == os.getuid()
    assert path.stat().st_mtime > 1e9


def test_what_is_outside_of_the_layout_is_counted(tmp_path):
    names = [
        "README.md",
        "set/v3/README.md",
        f"{MAIN}/deeper/x_0.py",
        f"{archives.LANGUAGES}/Alpha/shallow_0.py",
        "set/v3/repositories/Alpha/app/main/secrets.json",
        "set/COMPLETED",
        "v3/manifest.json",
    ]
    members = [GOOD, *(archives.member(name, b"x") for name in names)]
    found, counts = _unpacked(tmp_path, archives.tar_bytes(members))
    assert list(found) == ["languages/Python/.py/Alpha/app/main/good_0.py"]
    assert counts["skipped"] == {"outside of the layout": 7}


def test_name_given_twice_keeps_the_later(tmp_path):
    members = [archives.member(f"{MAIN}/a_0.py", text) for text in (b"first", b"2nd")]
    found, counts = _unpacked(tmp_path, archives.tar_bytes(members))
    assert list(found.values()) == [b"2nd"]
    assert (counts["num_files"], counts["size_bytes"]) == (1, 3)


def test_names_that_are_no_utf8_or_long_are_handled(tmp_path):
    members = [
        archives.member(f"{MAIN}/caf\udce9_0.py", b"x"),
        archives.member(f"{MAIN}/{'n' * 300}_0.py", b"x"),
        archives.member(f"{MAIN}/{'p' * 200}_0.py", b"x"),
    ]
    data = archives.tar_bytes(members, format=tarfile.GNU_FORMAT, errors="surrogateescape")
    found, counts = _unpacked(tmp_path, data)
    assert sorted(map(os.fsencode, found))[0].endswith(b"/caf\xe9_0.py")
    assert (counts["num_files"], counts["skipped"]) == (2, {"name that is too long": 1})


@pytest.mark.parametrize(
    "name",
    ["/etc/evil.py", "../evil.py", f"{MAIN}/../../evil_0.py", "set/..", f"{MAIN}/.."],
)
def test_path_out_of_the_archive_is_refused(tmp_path, name):
    message = _refusal(tmp_path, archives.tar_bytes([GOOD, archives.member(name, b"x")]))
    assert f"it names {name}, outside of its own folder" in message
    assert "nothing was unpacked" in message
    assert not (tmp_path / "evil.py").exists()


def test_path_with_a_nul_is_refused(tmp_path):
    odd = archives.member("x", b"x", pax_headers={"path": f"{MAIN}/a\0b_0.py"})
    data = archives.tar_bytes([GOOD, odd], format=tarfile.PAX_FORMAT)
    assert "outside of its own folder" in _refusal(tmp_path, data)


def test_links_are_counted_and_never_made(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    members = [
        GOOD,
        archives.member(f"{MAIN}", type=tarfile.SYMTYPE, linkname=str(outside)),
        archives.member(f"{MAIN}/through_0.py", b"x"),
        archives.member(f"{MAIN}/link_0.py", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        archives.member(f"{MAIN}/hard_0.py", type=tarfile.LNKTYPE, linkname=f"{MAIN}/good_0.py"),
        archives.member(f"{MAIN}/good_0.py", type=tarfile.SYMTYPE, linkname=str(outside / "x")),
        archives.member(f"{MAIN}/good_0.py", b"later"),
    ]
    found, counts = _unpacked(tmp_path, archives.tar_bytes(members))
    assert found == {
        "languages/Python/.py/Alpha/app/main/good_0.py": b"later",
        "languages/Python/.py/Alpha/app/main/through_0.py": b"x",
    }
    assert counts["skipped"] == {"hard link": 1, "symbolic link": 3}
    assert os.listdir(outside) == []
    assert not any(p.is_symlink() for p in (tmp_path / "sources").rglob("*"))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_refused(tmp_path, kind):
    data = archives.tar_bytes([GOOD, archives.member(f"{MAIN}/dev_0.py", type=kind)])
    assert "device or a pipe" in _refusal(tmp_path, data)


def test_sparse_file_is_not_filled_up(tmp_path):
    data = archives.tar_bytes([GOOD], mode="w")
    header = bytearray(data[:512])
    header[:100] = f"{MAIN}/holes_0.py".encode().ljust(100, b"\0")
    header[124:136] = b"00000000000\0"
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[257:265] = b"ustar  \0"
    header[345:386] = bytes(41)
    header[386:410] = b"77777777777\0" + b"00000000000\0"
    header[483:495] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    found, counts = _unpacked(tmp_path, data[:1024] + bytes(header) + data[1024:])
    assert list(found.values()) == [b"good\n"]
    assert counts["skipped"] == {"not a plain file": 1}


def test_large_file_is_counted(tmp_path):
    bomb = archives.member(f"{MAIN}/zeros_0.py", bytes(3_000_000))
    data = archives.tar_bytes([bomb, GOOD])
    assert len(data) < 10_000
    found, counts = _unpacked(tmp_path, data, max_file_bytes=1_000_000)
    assert list(found.values()) == [b"good\n"]
    assert counts["skipped"] == {"too large": 1}


@pytest.mark.parametrize(
    "limits, says",
    [
        ({"max_total_bytes": 2_000_000}, "selection holds more than 2,000,000 bytes"),
        ({"max_unpacked_bytes": 2_000_000}, "unpacks to more than 2,000,000 bytes"),
        ({"max_members": 3}, "more than 3 members"),
    ],
)
def test_bomb_of_many_files_meets_the_limits(tmp_path, limits, says):
    members = [archives.member(f"{MAIN}/zeros_{i}.py", bytes(1_000_000)) for i in range(5)]
    assert says in _refusal(tmp_path, archives.tar_bytes(members), **limits)


def test_unwanted_bomb_meets_the_limit_too(tmp_path):
    members = [GOOD, archives.member("unwanted", bytes(5_000_000))]
    message = _refusal(tmp_path, archives.tar_bytes(members), max_unpacked_bytes=2_000_000)
    assert "unpacks to more" in message


def test_bomb_after_the_end_meets_a_limit(tmp_path):
    data = archives.tar_bytes([GOOD], mode="w") + bytes(5_000_000)
    message = _refusal(tmp_path, gzip.compress(data), max_unpacked_bytes=2_000_000)
    assert "unpacks to more" in message


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_are_not_read_without_end(tmp_path, kind):
    huge = archives.member("header", bytes(20_000_000), type=kind)
    assert "headers of more than" in _refusal(tmp_path, archives.tar_bytes([GOOD, huge, GOOD]))


def test_headers_within_headers_are_refused(tmp_path):
    nested = [archives.member("h", b"x" * 10, type=tarfile.GNUTYPE_LONGNAME)] * 900
    assert "is refused" in _refusal(tmp_path, archives.tar_bytes([GOOD, *nested, GOOD]))


def test_claimed_size_does_not_make_it_read_for_ever(tmp_path):
    data = bytearray(archives.tar_bytes([GOOD, archives.member("unwanted", b"x")], mode="w"))
    header = memoryview(data)[1024:1536]
    header[124:136] = b"\x80" + (2**62).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert "unpacks to more" in _refusal(tmp_path, bytes(data))


def _cut(data, *, fraction=0.6):
    return data[: int(len(data) * fraction)]


_RANDOM = archives.member(f"{MAIN}/noise_0.py", os.urandom(300_000))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_cut_off_archive_is_refused(tmp_path, mode):
    data = _cut(archives.tar_bytes([GOOD, _RANDOM, GOOD], mode=mode))
    message = _refusal(tmp_path, data)
    assert "ends in the middle of a file" in message or "end early" in message


@pytest.mark.parametrize("num_bytes", [1024, 1536])
def test_archive_cut_between_its_files_is_refused(tmp_path, num_bytes):
    data = archives.tar_bytes([GOOD, _RANDOM], mode="w")[:num_bytes]
    message = _refusal(tmp_path, gzip.compress(data))
    assert "cut off" in message or "in the middle" in message


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_flipped_byte_is_refused(tmp_path, mode):
    data = bytearray(archives.tar_bytes([GOOD, _RANDOM, GOOD], mode=mode))
    data[len(data) // 2] ^= 0xFF
    message = _refusal(tmp_path, bytes(data))
    assert "damaged" in message or "middle" in message


def test_wrong_checksum_at_the_very_end_is_seen(tmp_path):
    data = bytearray(archives.tar_bytes([GOOD]))
    data[-8] ^= 0xFF
    assert "damaged" in _refusal(tmp_path, bytes(data))


def test_flipped_header_in_the_middle_is_seen(tmp_path):
    data = bytearray(archives.tar_bytes([GOOD, GOOD, GOOD], mode="w"))
    data[1024] ^= 0xFF
    assert "cut off, or something else follows" in _refusal(tmp_path, bytes(data))


def test_xz_that_asks_for_much_memory_is_refused(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    raw = archives.tar_bytes([GOOD], mode="w")
    data = bytearray(lzma.compress(raw, format=lzma.FORMAT_XZ, filters=filters))
    # The block header's dictionary size, 4 GiB - 1, and the header's checksum.
    header_bytes = (data[12] + 1) * 4
    place = data.index(bytes([0x21, 0x01]), 12) + 2
    data[place] = 40
    end = 12 + header_bytes
    data[end - 4 : end] = struct.pack("<I", zlib.crc32(data[12 : end - 4]))
    assert "damaged" in _refusal(tmp_path, bytes(data))


def test_packed_streams_may_follow_one_another(tmp_path):
    raw = archives.tar_bytes([GOOD, _RANDOM], mode="w")
    for number, pack in enumerate((gzip.compress, bz2.compress, lzma.compress)):
        folder = tmp_path / str(number)
        folder.mkdir()
        found, _ = _unpacked(folder, pack(raw[:5000]) + pack(raw[5000:]))
        assert len(found) == 2


@pytest.mark.parametrize(
    "data, says",
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "is a zip file"),
        pytest.param(b"<!DOCTYPE html>" + b" " * 1000, "no tar archive", id="web page"),
        (b"\x1f\x8b garbage", "damaged"),
        (gzip.compress(b"just text", mtime=0), "no tar archive"),
        pytest.param(bytes(1024), "wanted", id="empty tar"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path, data, says):
    assert says in _refusal(tmp_path, data)


def test_selection_without_match_names_organisations(tmp_path):
    data = archives.tar_bytes(archives.flcc_members(FILES))
    message = _refusal(tmp_path, data, select=["zeta", "a*"])
    assert "matches a* or zeta; it has Alpha, Avocado, beta" in message


def test_archive_of_something_else_says_what_it_holds(tmp_path):
    data = archives.tar_bytes([archives.member("src/main.py", b"x"), archives.member("v3/x", b"")])
    assert "it holds src/main.py, v3/x; wanted <data set>/v3/languages" in _refusal(tmp_path, data)


def test_two_data_sets_in_one_archive_are_refused(tmp_path):
    members = archives.flcc_members(FILES, top="one") + archives.flcc_members(FILES, top="two")
    assert "two data sets, one/v3 and two/v3" in _refusal(tmp_path, archives.tar_bytes(members))


def test_missing_archive_and_folder_are_refused(tmp_path):
    for name, says in (("none.tar.gz", "there is no archive"), (".", "is a folder; wanted a tar")):
        with pytest.raises(errors.InputError, match=says):
            _source(tmp_path / name).write_tree(tmp_path)
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(errors.InputError, match="no plain file"):
        _source(tmp_path / "pipe.tar").write_tree(tmp_path)


def test_tree_stays_good_without_its_archive_but_not_with_another(tmp_path):
    path, output = tmp_path / "set.tar.gz", tmp_path / "sources/dev"
    _unpacked(tmp_path, archives.tar_bytes(archives.flcc_members(FILES)))
    assert not source.prepare_tree(_source(path), output_dir=output)[1]
    path.write_bytes(b"another size")
    with pytest.raises(errors.InputError, match="already holds"):
        source.prepare_tree(_source(path), output_dir=output)
    path.unlink()
    assert not source.prepare_tree(_source(path), output_dir=output)[1]
    with pytest.raises(errors.InputError, match="holds [*] of the archive .* wanted A[*] of the"):
        source.prepare_tree(_source(path, select=["A*"]), output_dir=output)


def test_address_is_fetched_unpacked_and_not_asked_for_again(tmp_path):
    with archives.serve(archives.tar_bytes(archives.flcc_members(FILES))) as served:
        secret = served.address.replace("http://", "http://me:pw@") + "?token=s3cret"
        chosen = archive.ArchiveSource(
            secret, selection=["A*"], downloads_dir=tmp_path / "downloads"
        )
        fields, _ = source.prepare_tree(chosen, output_dir=tmp_path / "dev")
        assert fields["counts"]["num_files"] == 3
        assert len(served.requests) == 1
    # The server is gone; nothing is needed of it.
    assert not source.prepare_tree(chosen, output_dir=tmp_path / "dev")[1]
    text = (tmp_path / "dev/manifest.json").read_text()
    assert "127.0.0.1" in text and "pw" not in text and "s3cret" not in text


def test_broken_download_is_kept_and_named(tmp_path):
    with archives.serve(_cut(archives.tar_bytes([GOOD, _RANDOM]))) as served:
        chosen = archive.ArchiveSource(
            served.address, selection=["*"], downloads_dir=tmp_path / "downloads"
        )
        with pytest.raises(errors.InputError, match="remove that file and run again") as info:
            source.prepare_tree(chosen, output_dir=tmp_path / "dev")
    (kept,) = (tmp_path / "downloads").glob("*/set.tar.gz")
    assert str(kept) in str(info.value)
    assert not (tmp_path / "dev").exists()


def test_reader_keeps_no_list_of_members(tmp_path, monkeypatch):
    opened, real_open = [], tarfile.open

    def remembering_open(*args, **kwargs):
        opened.append(real_open(*args, **kwargs))
        return opened[-1]

    members = [archives.member(f"{MAIN}/empty_{number}.py") for number in range(500)]
    data = archives.tar_bytes(members, mode="w")
    monkeypatch.setattr(tarfile, "open", remembering_open)
    found, _ = _unpacked(tmp_path, data)
    assert len(found) == 500
    assert [len(tar.members) for tar in opened] == [0]
