"""A sweep's summary and report, made anew only where the store, the program or the files have changed.

Beside its report a stamp says what the report was made of, which files it wrote and what the summary printed. The stamp
holds for one content of the store, one program and one machine's libraries; whatever is not certain is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import sweepengine
from sweepengine.analysis import FigureSource, SummaryText, figure_source, write_report_of
from sweepengine.analysis._constants import REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN
from sweepengine.errors import StoreWarning
from sweepengine.files import replace_file
from sweepengine.store import content_digest, local_folder, name_of_url, normalise_address, open_sweep, open_theory
from sweepengine.store._digests import DIGEST_BYTES, digest

STAMP = "stamp.json"
"""Name of the stamp in the folder of a report."""
_LIBRARIES = ("numpy", "scipy", "xarray", "dask", "zarr", "altair", "vl-convert-python")
"""Packages whose versions may change a report."""
_PROGRAM = (".py", ".js", ".css")
_NO_PROGRAM = {"__pycache__", "jobs"}


def report_folder(store: str | Path) -> Path:
    """Folder of a store's report: beside a local store; for that of a URL one of its own in the results folder.

    Raises
    ------
    StoreError
        The address is none of a store.
    """
    address = normalise_address(store)
    name = address.rpartition("/")[2].removesuffix(".zarr")
    folder = local_folder(address)
    if folder is None:
        return Path("results") / f"{name}-{name_of_url(address)}.report"
    return folder.with_name(f"{name}.report")


@dataclass(frozen=True)
class Stamp:
    """What a summary and a report were made of.

    Attributes
    ----------
    store : str
        Address of the store, which the report shows.
    content, program : str
        Digests of the store's content, and of the program and the libraries that made the report.
    text : SummaryText
        What the summary prints.
    files : dict of str
        Name → digest of every file of the report.
    """

    store: str
    content: str
    program: str
    text: SummaryText
    files: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write the stamp into a report's folder. Raises OSError where it cannot be written."""
        content = asdict(self) | {"text": self.text.to_json()}
        sealed = content | {"seal": _seal(content)}
        replace_file(folder / STAMP, json.dumps(sealed, ensure_ascii=False, indent=1).encode())

    def is_of(self, made_of: dict[str, str]) -> bool:
        """Whether store, content and program are the given ones."""
        return {"store": self.store, "content": self.content, "program": self.program} == made_of

    @classmethod
    def read(cls, folder: Path) -> Stamp | None:
        """The stamp of a folder; None where there is none, or where it is not what was written."""
        try:
            content = json.loads((folder / STAMP).read_bytes())
            if content.pop("seal") != _seal(content):
                return None
            return cls(**content | {"text": SummaryText.from_json(content["text"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


class Report:
    """The summary and the report of a store.

    Parameters
    ----------
    store : str or Path
    folder : Path
        Folder of the report.
    anew : bool
        Whether to make both whatever a stamp says.
    users_code : bool
        Whether users' code takes part. It may change unseen, so both are made anew and no stamp is left.

    Raises
    ------
    StoreError
        The address is none of a store.
    OSError
        The store cannot be read.
    """

    def __init__(self, store: str | Path, folder: Path, *, anew: bool = False, users_code: bool = False) -> None:
        self._store, self._folder, self._users_code = normalise_address(store), folder, users_code
        # The digests come first: what changes while the store is read makes the stamp one of an earlier content.
        self._made_of = {} if users_code else _made_of(self._store)
        stamp = None if anew or users_code else Stamp.read(folder)
        self._kept = stamp if stamp is not None and stamp.is_of(self._made_of) else None

    def text(self) -> SummaryText:
        """What to print of the summary.

        Raises
        ------
        StoreError, AnalysisError
            As for :func:`sweepengine.open_sweep` and :func:`sweepengine.analysis.summarise`.
        """
        return self._reduced.text if self._kept is None else self._kept.text

    def write(self) -> Path:
        """Write the report, unless its files are those that the stamp says; return its page.

        Raises
        ------
        StoreError, AnalysisError
            As for :func:`sweepengine.analysis.write_report`.
        """
        if self._kept is not None and self._kept.files == _digests(self._folder):
            return self._folder / REPORT_HTML
        reduced = self._reduced
        paths = write_report_of(reduced.source, self._folder)
        if reduced.is_whole and not self._users_code:
            stamp = Stamp(**self._made_of, text=reduced.text, files=_digests(self._folder))
            with suppress(OSError):  # a report without a stamp is made again next time
                stamp.write(self._folder)
        return paths.html

    @property
    def source(self) -> FigureSource:
        """What the report is drawn from.

        Raises
        ------
        StoreError, AnalysisError
            As for :func:`sweepengine.open_sweep` and :func:`sweepengine.analysis.figure_source`.
        """
        return self._reduced.source

    @cached_property
    def _reduced(self) -> _Reduced:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", StoreWarning)
            try:
                source = figure_source(open_sweep(self._store), theory=open_theory(self._store))
                text = SummaryText.of(source.summary)
            finally:
                damaged = [each for each in caught if issubclass(each.category, StoreWarning)]
        for each in caught:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        return _Reduced(source, text, is_whole=not damaged)


@dataclass(frozen=True)
class _Reduced:
    """What a report is drawn from, what its summary prints, and whether all of the store could be read."""

    source: FigureSource
    text: SummaryText
    is_whole: bool


def _made_of(store: str) -> dict[str, str]:
    return {"store": store, "content": content_digest(store), "program": _program_digest()}


def _program_digest() -> str:
    """Digest of this package's files, Python's version and those of the libraries."""
    home = Path(sweepengine.__file__).parent
    program = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for folder, folders, names in os.walk(home, followlinks=True):  # the analysis of a checkout is a link
        folders[:] = sorted(each for each in folders if each not in _NO_PROGRAM)
        for name in sorted(names):
            if name.endswith(_PROGRAM):
                content = Path(folder, name).read_bytes()
                program.update(f"{Path(folder, name).relative_to(home)} {len(content)} ".encode())
                program.update(content)
    program.update(json.dumps([platform.python_version(), *map(_version, _LIBRARIES)]).encode())
    return program.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _digests(folder: Path) -> dict[str, str]:
    """Name → digest of each file of a report; empty for a file that cannot be read."""
    return {name: _digest(folder / name) for name in (REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN)}


def _digest(path: Path) -> str:
    try:
        return digest(path.read_bytes())
    except OSError:
        return ""


def _seal(content: dict[str, Any]) -> str:
    return digest(json.dumps(content, sort_keys=True).encode())
