"""Files that users name: plain ones only, opened without waiting."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader, FileIO, TextIOWrapper


def open_plain(path: str | os.PathLike[str]) -> FileIO:
    """Open a file to read its bytes.

    Raises
    ------
    OSError
        It cannot be opened, or is a folder, a pipe or a device: a read of these may block, or never end.
    """
    # A pipe that nobody writes to would block the opening itself.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except ValueError as error:  # a NUL, or what the system's encoding lacks
        raise OSError(errno.EINVAL, f"no path of a file: {error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "a folder, pipe or device, and no plain file", str(path))
    return FileIO(descriptor)


def open_plain_text(path: str | os.PathLike[str]) -> TextIOWrapper:
    """The same to read its text, in UTF-8; what is no UTF-8 raises :class:`UnicodeDecodeError` when it is read."""
    return TextIOWrapper(BufferedReader(open_plain(path)), encoding="utf-8")
