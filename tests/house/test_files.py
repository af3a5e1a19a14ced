"""Archives that are damaged or hostile: one message each, soon, and nothing is unpacked that nobody asked for."""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from sweepengine.data import load_weights, open_arrays
from sweepengine.errors import DataError
from tests.support.memory import free_memory

TIB = 2**40


def header(text: str, version: int = 1, length: int | None = None) -> bytes:
    """The first bytes of a .npy."""
    content = text.encode("latin1")
    size = len(content) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(2 if version == 1 else 4, "little") + content


def described(descr: str = "'<f8'", order: str = "False", shape: str = "(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


def archive(path: Path, content: bytes, name: str = "a.npy", method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr(name, content)
    return path


def patched(path: Path, central: int, local: int, value: bytes) -> Path:
    """The same archive of one member with a field of its two headers changed."""
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", central), (b"PK\x03\x04", local)):
        place = content.index(mark) + offset
        content[place : place + len(value)] = value
    path.write_bytes(content)
    return path


def refusal(path: Path, name: str = "a") -> str:
    with pytest.raises(DataError) as refused, open_arrays(path, "data.path") as file:
        file.read(name)
    said = str(refused.value)
    assert said.startswith(f"data.path: {path}")
    assert len(said.splitlines()) == 1
    return said


NUMBERS = np.arange(2.0).tobytes()
HEADERS = [
    (header(described(shape=f"({TIB},)")) + NUMBERS, "which is 8796093022208 bytes, and holds 16; write it again"),
    (header(described(shape="(3,)")) + NUMBERS, "is 24 bytes, and holds 16"),
    (header(described(shape="(1,)")) + NUMBERS, "is 8 bytes, and holds 16"),
    (header(described(shape="(-1, -2)")) + NUMBERS, r"the shape \(-1, -2\)"),
    (header(described(shape=f"({2**62}, 4)")) + NUMBERS, "and holds 16"),
    (header(described(shape=f"(0, {2**62}, 4)")), "is no .npz of plain arrays"),
    (header(described(shape=f"({10**30},)")) + NUMBERS, "the shape"),
    (header(described(shape="(True, 2)")) + NUMBERS, "the shape"),
    (header(described(shape=f"({'1, ' * 99})")) + NUMBERS[:8], "is no .npz of plain arrays"),
    (header(described("'|O'")) + NUMBERS, "a holds Python objects; expected real numbers"),
    (header(described("[('x', '<f8')]", shape="(2,)")) + NUMBERS, "expected real numbers"),
    (header(described("('<f8', (1000000,))", shape="(2,)")) + NUMBERS, "expected real numbers"),
    (header(described("'<f8,<f8'", shape="(1,)")) + NUMBERS, "expected real numbers"),
    (header(described("'<M8[ns]'")) + NUMBERS, "expected real numbers"),
    (header(described("'<f7'")) + NUMBERS, "is no .npz of plain arrays"),
    (header(described("'S99999999999999'")) + NUMBERS, "holds text; expected real numbers"),
    (header("[" * 3000), "is no .npz of plain arrays"),
    (header("-" * 3000 + "1"), "is no .npz of plain arrays"),
    (header(f"{{{'1' * 3000}: 1}}"), "is no .npz of plain arrays"),
    (header("{'descr': '<f8'}") + NUMBERS, "a header without descr"),
    (header("{[]: 1}") + NUMBERS, "is no .npz of plain arrays"),
    (header("__import__('os').abort()") + NUMBERS, "is no .npz of plain arrays"),
    (header(described() + " " * 60_000), "a header of 6"),
    (header(described(), version=2, length=2**32 - 1) + NUMBERS, "a header of 4294967295 bytes"),
    (header(described(), version=9) + NUMBERS, "no array's first bytes"),
    (b"", "no array's first bytes"),
    (b"not an array", "no array's first bytes"),
    (header(described()) + np.array([1, np.inf]).tobytes(), "a holds numbers that are not finite"),
    (header(described("'<f4'")) + b"\x01\x00\x80\x7f" * 2, "not finite"),  # a signalling NaN
]


@pytest.mark.parametrize(("content", "said"), HEADERS, ids=range(len(HEADERS)))
def test_a_header_is_believed_in_nothing(tmp_path: Path, content: bytes, said: str) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert re.search(said, refusal(archive(tmp_path / "d.npz", content, method=method)))


def test_members_that_cannot_be_unpacked(tmp_path: Path) -> None:
    good = header(described()) + NUMBERS
    path = tmp_path / "d.npz"
    assert "a is encrypted; write the file without" in refusal(patched(archive(path, good), 8, 6, b"\x01"))
    assert "by method 97; write it with" in refusal(patched(archive(path, good), 10, 8, struct.pack("<H", 97)))
    assert "is compressed by method 12" in refusal(archive(path, good, method=zipfile.ZIP_BZIP2))
    assert "is compressed by method 14" in refusal(archive(path, good, method=zipfile.ZIP_LZMA))
    assert "is damaged (Bad CRC-32" in refusal(patched(archive(path, good), 16, 14, b"\x01\x02\x03\x04"))
    assert "is damaged" in refusal(patched(archive(path, good, method=zipfile.ZIP_STORED), 10, 8, b"\x08"))
    assert "which is 16 bytes, and holds" in refusal(patched(archive(path, good), 24, 22, struct.pack("<I", 2**31)))
    # Both lie alike: 16 MB in the directory and in the header of the array.
    much = header(described("'|u1'", shape=f"({2**24},)"))
    size = struct.pack("<I", 2**24 + len(much))
    assert "is damaged" in refusal(patched(archive(path, much), 24, 22, size))
    assert "patched data" in refusal(patched(archive(path, good), 8, 6, b"\x20"))


def test_names_are_told_apart(tmp_path: Path) -> None:
    good = header(described()) + NUMBERS
    path = tmp_path / "d.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.npy", good)
        file.writestr("a", good)
    assert "holds 'a' twice; keep one of the two" in refusal(path)
    with zipfile.ZipFile(path, "w") as file:
        for name in ("../../etc/a.npy", "/a.npy", "net/W0.npy", "folder/", *(f"{'x' * 500}{n}" for n in range(1000))):
            file.writestr(name, good)
    said = refusal(path)
    assert "and 984 more; add it" in said
    assert len(said) < 2500
    with open_arrays(path, "weights") as arrays:
        assert arrays.read("net/W0").tolist() == [0, 1]
    with zipfile.ZipFile(path, "w") as file:
        for n in range(50_000):
            file.writestr(f"{n}", b"")
    assert "its directory is longer than any" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_plain_array_is_read_as_numpy_reads_it(tmp_path: Path, method: int) -> None:
    rng = np.random.default_rng(5)
    large = rng.standard_normal((300, 1001))  # more than one piece
    written: dict[str, np.ndarray[Any, Any]] = {
        "large": large, "fortran": np.asfortranarray(large), "single": large.astype("<f4"), "big": large.astype(">f8"),
        "half": large.astype("<f2"), "long": large.astype(np.longdouble), "flag": large > 0,
        "byte": np.arange(7, dtype="u1"),
        "number": np.array(3.5), "none": np.empty((0, 4)), "whole": np.arange(6).reshape(1, 2, 3),
        "unsigned": np.array([2**64 - 1], ">u8"),
    }  # fmt: skip
    with zipfile.ZipFile(tmp_path / "d.npz", "w", method) as file:
        for version, (name, values) in enumerate(written.items()):
            stream = io.BytesIO()
            np.lib.format.write_array(stream, values, [(1, 0), (2, 0)][version % 2])
            file.writestr(f"{name}.npy", stream.getvalue())
    with open_arrays(tmp_path / "d.npz", "data.path") as arrays:
        assert arrays.names == tuple(written)
        for name, values in written.items():
            found = arrays.read(name)
            assert found.dtype == np.float64
            np.testing.assert_array_equal(found, values.astype(np.float64))


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/zero"), tmp_path):
        assert "cannot be read: a folder, pipe or device, and no plain file" in refusal(path)
    assert "cannot be read" in refusal(tmp_path / "loop")
    assert "cannot be read" in refusal(tmp_path / ("x" * 5000))
    assert "cannot be read: no path of a file" in refusal(Path("a\0b"))


def test_a_file_cut_short_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, a=np.arange(10_000.0), b=np.arange(1_000_000.0))
    with open_arrays(path, "data.path") as file:
        assert file.read("a")[-1] == 9999
        os.truncate(path, 200_000)
        with pytest.raises(DataError, match=r"d\.npz: b is no .* or is damaged"):
            file.read("b")


def test_sizes_are_compared_with_the_memory_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "d.npz", a=np.zeros(1000, "i1"))
    free_memory(monkeypatch, 15_999)
    said = refusal(tmp_path / "d.npz")
    assert (
        "a has shape (1000,), which in float64 and with one copy takes 1.6e-05 GB, and 1.6e-05 GB of memory are free"
        in said
    )
    free_memory(monkeypatch, 16_000)
    with open_arrays(tmp_path / "d.npz", "data.path") as file:
        assert len(file.read("a")) == 1000


def test_only_what_is_wanted_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bomb beside the parameters the name is seen, and no byte is read."""
    np.savez_compressed(
        tmp_path / "w.npz", W0=np.ones((3, 2)), W1=np.ones(3), bomb=np.zeros(10**6), other=np.array([{}])
    )
    opened: list[str] = []
    whole = zipfile.ZipFile.open

    def noted(self: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
        opened.append(member.filename)
        return whole(self, member)

    monkeypatch.setattr(zipfile.ZipFile, "open", noted)
    found = load_weights(str(tmp_path / "w.npz"), 1, biases=False, output_bias=False)
    assert list(found.arrays) == ["W0", "W1"]
    assert opened == ["W0.npy", "W1.npy"]
