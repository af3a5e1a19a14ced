"""Writing the files of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.analysis._errors import ReportWriteError
from sweepengine.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path


def write_report_file(path: Path, content: bytes) -> None:
    """Write a file of a report. Raises :class:`ReportWriteError` where it cannot be written."""
    try:
        replace_file(path, content)
    except OSError as error:
        raise ReportWriteError(
            f"Cannot write {path}: {error.strerror or error}. Choose a directory that exists or can be made, and that "
            "you may write to."
        ) from error
