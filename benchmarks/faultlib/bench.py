"""What all cases share: the product, a working folder, and what sweeps are when nothing happens to them."""

from __future__ import annotations

import fcntl
import pickle
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import yaml

from faultlib.child import Command, in_child
from faultlib.objects import objects
from faultlib.reading import Reading, read_plainly, read_store
from faultlib.sweeps import INLINE, SWEEPS
from faultlib.verdict import Defect, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE, SPEC = "sweep.zarr", "sweep.yaml"
COMMANDS = {"verify": ("verify", STORE), "status": ("status", STORE), "report": ("report", STORE)}
WIDE = {"COLUMNS": "500"}
"""No line is folded, so that what is said does not depend on where the store lies."""
STATES = 3
"""Half-finished stores of each sweep."""


@dataclass(frozen=True)
class Sample:
    """A store that is sound, and what is seen of it.

    Attributes
    ----------
    folder : Path
        Holds the spec and the store.
    reading : Reading
    plain : str
        Of a plain reader.
    said : dict
        What `status` and `report` print.
    seconds, worked : float
        How long the sweep took, and its driver's processor seconds.
    """

    folder: Path
    reading: Reading
    plain: str
    said: dict[str, str]
    seconds: float
    worked: float


class Bench:
    """A working folder.

    Parameters
    ----------
    product : Path
        A checkout; its `sweepengine` is the one that was imported.
    work : Path
        References are kept here, by commit.
    """

    def __init__(self, product: Path, work: Path) -> None:
        self.commit = commit_of(product)
        self.work = work
        self._samples = work / self.commit
        self._samples.mkdir(parents=True, exist_ok=True)
        self._cached: dict[str, Sample] = {}

    def whole(self, sweep: str, executor: str = INLINE) -> Sample:
        """A sweep that ran without a fault."""
        return self._sample(f"{sweep}-{executor}", sweep, executor, part=None)

    def half(self, sweep: str, state: int) -> Sample:
        """A sweep whose driver was killed on the way, with something to resume from."""
        return self._sample(f"{sweep}-half-{state}", sweep, INLINE, part=0.5 + 0.4 * state / STATES)

    def _sample(self, name: str, sweep: str, executor: str, part: float | None) -> Sample:
        if name not in self._cached:
            record = self._samples / f"{name}.pickle"
            length = 0.0 if part is None else part * self.whole(sweep, executor).worked
            with _locked(self._samples / f"{name}.lock"):
                if not record.exists():
                    sample = _make(self._samples / name, sweep, executor, length)
                    record.with_suffix(".new").write_bytes(pickle.dumps(sample))
                    record.with_suffix(".new").rename(record)
            self._cached[name] = pickle.loads(record.read_bytes())  # noqa: S301 -- our own file
        return self._cached[name]


def commit_of(product: Path) -> str:
    """The last commit of a checkout that touched the product, with a sign where it has been changed since."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(product), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--", "sweepengine", "analysis")
    return git("log", "-1", "--format=%h", "--abbrev=10", "--", "sweepengine", "analysis") + (
        "+changes" if changed else ""
    )


def write_spec(folder: Path, sweep: str) -> None:
    """Put a sweep's spec where its command expects it."""
    (folder / SPEC).write_text(yaml.safe_dump(SWEEPS[sweep]))


def run_words(executor: str, *more: str) -> tuple[str, ...]:
    """The command that runs a sweep, and resumes it."""
    workers = ("--workers", "2") if executor != INLINE else ()
    return ("run", SPEC, "--store", STORE, "--executor", executor, *workers, "--no-report", *more)


def without_place(said: str, folder: Path) -> str:
    """What a command says, wherever it ran."""
    # A title breaks a long path over lines, and its length moves the breaks of others.
    return "".join(said.split()).replace("".join(str(folder).split()), "")


def _make(folder: Path, sweep: str, executor: str, length: float) -> Sample:
    """Run a sweep whole, or until its driver has worked for a length of time if that is above 0."""
    for _ in range(40):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        write_spec(folder, sweep)
        command = Command(run_words(executor), folder, folder / "run")
        if length:
            command.until_worked(length)
            command.send(signal.SIGKILL)
        ended = command.wait()
        command.stop()
        has_state = any(each.path.suffix == ".npz" for each in objects(folder / STORE))
        if length and (ended.code == 0 or not has_state):
            length *= 0.87 if ended.code == 0 else 1.06
            continue
        if ended.code != (-signal.SIGKILL if length else 0):
            raise Defect(Kind.HARNESS, f"no reference: {ended}")
        said = {}
        for name in ("status", "report"):
            shown = Command(COMMANDS[name], folder, folder / name, environment=WIDE).wait().out
            said[name] = without_place(shown, folder)
        reading, plain = (in_child(partial(each, folder / STORE)) for each in (read_store, read_plainly))
        return Sample(folder, reading, plain, said, ended.seconds, ended.worked)
    raise Defect(Kind.HARNESS, f"{sweep}: no store could be made that is half-finished")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One job makes a sample, the others wait."""
    with path.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
