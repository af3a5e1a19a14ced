"""Files that users name: opening plain files without waiting, and replacing a file as a whole."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from io import BufferedReader, FileIO, TextIOWrapper
from pathlib import Path


def open_plain(path: str | os.PathLike[str]) -> FileIO:
    """Open a file to read its bytes.

    Raises
    ------
    OSError
        The file cannot be opened, or is a folder, a pipe or a device, whose reading may block or never end.
    """
    # A pipe that nobody writes to would block the opening itself.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except ValueError as error:  # a NUL in the path, or a character that the system's encoding lacks
        raise OSError(errno.EINVAL, f"no path of a file: {error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "a folder, pipe or device, and no plain file", str(path))
    return FileIO(descriptor)


def open_plain_text(path: str | os.PathLike[str]) -> TextIOWrapper:
    """Open a file as :func:`open_plain` does, to read text in UTF-8.

    Reading raises :class:`UnicodeDecodeError` if the bytes are not UTF-8.
    """
    return TextIOWrapper(BufferedReader(open_plain(path)), encoding="utf-8")


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part; make its folder if needed.

    Raises
    ------
    OSError
        The folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
        part.write(content)
    Path(part.name).chmod(0o644)
    Path(part.name).replace(path)
