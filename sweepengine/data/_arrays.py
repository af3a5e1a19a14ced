"""Reading ``.npz`` files of other programs: only arrays of plain numbers are unpacked, and nothing is executed."""

from __future__ import annotations

import ast
import math
import re
import struct
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import IO, TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from sweepengine.data._memory import refuse_more_than_memory
from sweepengine.errors import DataError, shown
from sweepengine.files import open_plain

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

_ENCRYPTED = 0x1
_LONGEST_HEADER = 4096
_PIECE = 2**20
"""Bytes that are read at once. This limits the list of a file's arrays to about 60 thousand names."""
_REAL = re.compile(r"[<>=|]?[?biuf]\d*")
_WORDS = {"O": "Python objects", "U": "text", "S": "text", "c": "complex numbers"}
_SHOWN_NAMES = 20


class _Pieces(BufferedReader):
    """A file that refuses to be read in large pieces: :class:`zipfile.ZipFile` would read a directory of any length."""

    def read(self, size: int | None = -1, /) -> bytes:
        most = 2 * _PIECE
        content = super().read(most + 1 if size is None or size < 0 else min(size, most + 1))
        if len(content) > most:
            raise BadZipFile("its directory is longer than any that holds arrays of numbers")
        return content


@dataclass(frozen=True)
class _Header:
    """The header of a ``.npy``: it describes the numbers that follow."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran_order: bool
    length: int

    @property
    def count(self) -> int:
        return math.prod(self.shape)


class ArrayFile:
    """An open ``.npz`` file, whose arrays are read one by one when they are asked for.

    Attributes
    ----------
    names : tuple of str
        Names of all arrays, as the file lists them.
    """

    def __init__(self, archive: ZipFile, where: str) -> None:
        self._archive, self._where = archive, where
        members = [(member.filename.removesuffix(".npy"), member) for member in archive.infolist()]
        self._members = dict(members)
        self.names = tuple(self._members)
        if len(self._members) < len(members):
            listed_names = [name for name, _ in members]
            twice = next(name for name in self.names if listed_names.count(name) > 1)
            raise DataError(f"{where} holds {shown(twice)} twice; keep one of the two")

    def read(self, name: str) -> NDArray[np.float64]:
        """One array as float64.

        Raises
        ------
        DataError
            The array is missing, cannot be read, does not fit into memory, or holds anything but real numbers that are
            finite in float64.
        """
        if name not in self._members:
            raise DataError(f"{self._where}: no array {name!r}; found {listed(self.names)}; add it to the file")
        where = f"{self._where}: {name}"
        with _readable(where):
            return self._values(self._members[name], where)

    def _values(self, member: ZipInfo, where: str) -> NDArray[np.float64]:
        if member.flag_bits & _ENCRYPTED:
            raise DataError(f"{where} is encrypted; write the file without a password")
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise DataError(
                f"{where} is compressed by method {member.compress_type}; write it with numpy.savez or savez_compressed"
            )
        with self._archive.open(member) as stream:
            header = _header(stream, where)
            promised, present = header.count * header.dtype.itemsize, member.file_size - header.length
            if promised != present:
                raise DataError(
                    f"{where} has shape {header.shape} of {header.dtype}, which is {promised} bytes, and holds "
                    f"{present}; write it again"
                )
            refuse_more_than_memory(
                f"{where} has shape {header.shape}, which in float64 and with one copy",  # the caller makes a copy
                2 * 8 * header.count,
                "take fewer points, or a larger machine",
            )
            return _numbers(stream, header, where).reshape(header.shape, order="F" if header.fortran_order else "C")


def listed(names: Iterable[str]) -> str:
    """Names of arrays as messages show them: the first twenty, because a hostile file may have many."""
    first = [shown(name).strip("'") for name in sorted(names)]
    more = len(first) - _SHOWN_NAMES
    return ", ".join([*first[:_SHOWN_NAMES], *([f"and {more} more"] if more > 0 else [])]) or "none"


@contextmanager
def open_arrays(path: str | os.PathLike[str], what: str) -> Iterator[ArrayFile]:
    """Open a ``.npz`` file and list its arrays, without reading any of them.

    Parameters
    ----------
    path : path
    what : str
        The field of a spec that names the file, for messages.

    Yields
    ------
    ArrayFile

    Raises
    ------
    DataError
        There is no such file, or it is no archive.
    """
    where = f"{what}: {path}"
    with ExitStack() as opened:
        with _readable(where):
            file = opened.enter_context(_Pieces(open_plain(path)))
            archive = opened.enter_context(ZipFile(file))
            arrays = ArrayFile(archive, where)
        yield arrays


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Turn every error that a damaged or hostile archive makes its readers raise into a :class:`DataError`."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{where}: there is no such file; a spec's paths begin at its own folder") from error
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise DataError(f"{where} does not fit into the memory of this process") from error
    except (
        BadZipFile, EOFError, OverflowError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{where} is no .npz of plain arrays of numbers, or is damaged ({reason}); write it with numpy.savez"
        ) from error


def _header(stream: IO[bytes], where: str) -> _Header:
    """Read the header of an array of real numbers in NumPy's format (numpy.lib.format)."""
    begin = stream.read(8)
    if begin[:6] != b"\x93NUMPY" or begin[6] not in (1, 2, 3):
        raise ValueError("no array's first bytes")
    digits = 2 if begin[6] == 1 else 4
    length = int.from_bytes(stream.read(digits), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    fields = ast.literal_eval(stream.read(length).decode("latin1").strip())
    if not isinstance(fields, dict) or fields.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("a header without descr, fortran_order and shape")
    descr, shape = fields["descr"], fields["shape"]
    if not isinstance(descr, str) or not _REAL.fullmatch(descr):
        letters = re.findall("[A-Za-z]", descr) if isinstance(descr, str) else []
        raise DataError(f"{where} holds {_WORDS.get(''.join(letters), shown(descr))}; expected real numbers")
    if not isinstance(shape, tuple) or not all(type(size) is int and 0 <= size < 2**63 for size in shape):
        raise ValueError(f"the shape {shown(shape)}")
    return _Header(np.dtype(descr), shape, fields["fortran_order"] is True, 8 + digits + length)


def _numbers(stream: IO[bytes], header: _Header, where: str) -> NDArray[np.float64]:
    """All numbers that follow the header, in the order of the file, converted to float64 piece by piece."""
    values = np.empty(header.count)
    step = _PIECE // header.dtype.itemsize
    for start in range(0, header.count, step):
        part = values[start : start + step]
        content = stream.read(len(part) * header.dtype.itemsize)
        with np.errstate(over="ignore", invalid="ignore"):  # the next lines look for infinity
            part[:] = np.frombuffer(content, header.dtype, len(part))
        if not np.isfinite(part).all():
            raise DataError(f"{where} holds numbers that are not finite; mend or remove them")
    return values
