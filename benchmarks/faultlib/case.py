"""One case: its folder, its random choices, its commands, and what is asked of every one."""

from __future__ import annotations

import re
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from faultlib.bench import STORE, WIDE, run_words, write_spec
from faultlib.child import LIMIT_SECONDS, Command, Ended, in_child
from faultlib.options import TAKE_OVER
from faultlib.reading import Reading, differences, read_store, wrong_so_far
from faultlib.sweeps import INLINE, same_bits
from faultlib.verdict import Defect, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultlib.bench import Bench

T = TypeVar("T")
RAY_LIMIT_SECONDS = 180.0
_RAW = re.compile(r"Traceback \(most recent call last\)|^Exception ignored|^\*\*\* SIG|Check failed:", re.MULTILINE)
REFUSAL = re.compile(r"not of sweepengine|no zarr\.json of sweepengine|damaged metadata|name another --store")
WAY_OUT = re.compile(
    r"restore|name another|again|delete|free|repair|take-over|let the other|use the version|resume", re.IGNORECASE
)


def generator(campaign: str, number: int) -> np.random.Generator:
    """All that is random in a case."""
    return np.random.default_rng([zlib.crc32(campaign.encode()), number])


class Case:
    """A sweep in a folder of its own; what it leaves running is stopped at its end.

    Parameters
    ----------
    bench : Bench
    campaign : str
    number : int
    sweep, executor : str

    Attributes
    ----------
    environment : dict
        What commands have in their environment beside ours.
    """

    def __init__(self, bench: Bench, campaign: str, number: int, sweep: str, executor: str = INLINE) -> None:
        self.bench, self.sweep, self.executor = bench, sweep, executor
        self.rng = generator(campaign, number)
        self.did = [f"{executor} {sweep}"]
        self.whole = bench.whole(sweep)
        self.limit = LIMIT_SECONDS if executor == INLINE else RAY_LIMIT_SECONDS
        self._root = Path(tempfile.mkdtemp(prefix="f", dir=bench.work))  # short: Ray puts sockets below
        self.folder = self._root / "w"
        self.folder.mkdir()
        self.store = self.folder / STORE
        self.environment: dict[str, str] = {}
        self._commands: list[Command] = []
        write_spec(self.folder, sweep)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Defect):
            error.detail = f"{self.story}: {error.detail}"
        self.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    @property
    def story(self) -> str:
        """What was done."""
        return ", ".join(self.did)

    def stop(self) -> None:
        """Stop whatever still runs."""
        for each in self._commands:
            each.stop()

    def start(self, *words: str, commit_seconds: float = 0.05, preloaded: bool = True) -> Command:
        """Start `sweepengine WORDS` in the case's folder."""
        number = len(self._commands)
        ray = self._root / f"r{number}"
        ray.mkdir(exist_ok=True)
        command = Command(
            words,
            self.folder,
            self._root / f"{number}-{words[0]}",
            commit_seconds=commit_seconds,
            environment=WIDE | {"RAY_TMPDIR": str(ray)} | self.environment,
            preloaded=preloaded,
        )
        self._commands.append(command)
        return command

    @property
    def named(self) -> str:
        """The store, as commands in the case's folder name it."""
        return STORE

    def run_words(self, *more: str) -> tuple[str, ...]:
        """The command that runs the sweep."""
        return run_words(self.executor, *more)

    def start_run(self, *more: str, commit_seconds: float = 0.05, preloaded: bool = True) -> Command:
        """Start the command that runs the sweep, always the same but for `more`."""
        return self.start(*self.run_words(*more), commit_seconds=commit_seconds, preloaded=preloaded)

    def ends(self, command: Command, *codes: int) -> Ended:
        """How a command ends, if it does so in time, without a traceback and with one of some codes.

        Raises
        ------
        Defect
        """
        return self.check(command.wait(self.limit), *codes)

    def check(self, ended: Ended, *codes: int) -> Ended:
        """As :meth:`ends`, of one that has ended."""
        if ended.code not in codes and REFUSAL.search(ended.err) and ended.words[0] == "run":
            raise Defect(Kind.REFUSED, str(ended))
        return self.check_words(ended, *codes)

    def check_words(self, ended: Ended, *codes: int) -> Ended:
        """As :meth:`check`, where a store may be refused for a reason."""
        for said in (ended.err, ended.out):
            if raw := _RAW.search(said):
                last = said[raw.start() :].strip().splitlines()
                raise Defect(Kind.TRACEBACK, f"{ended.words[0]} ended with {ended.code}: {last[0]} … {last[-1]}")
        if ended.code in codes:
            return ended
        raise Defect(Kind.CODE, str(ended))

    def clear_refusal(self, ended: Ended) -> None:
        """Check that a command that would not go on has said in a line what to do."""
        if ended.code == 0:
            return
        lines = [line for line in ended.err.splitlines() if line.startswith("error:")]
        if len(lines) != 1 or not WAY_OUT.search(lines[0]):
            raise Defect(Kind.MESSAGE, f"no clear way out: {ended}; said {lines}")

    def gives_way(self, ended: Ended) -> None:
        """Check a driver that has met another: it was refused, or replaced, and says so; or nothing was left to do."""
        self.check(ended, 0, 1, *((2,) if TAKE_OVER in ended.err else ()))
        self.clear_refusal(ended)

    def look(self) -> Reading | None:
        """What a reader is shown now; None where no run is there yet."""
        found = self.read()
        return None if found.error else found

    def read(self) -> Reading:
        """What a reader is shown, an error included."""
        store = self.store
        return in_child(lambda: read_store(store))

    def look_after_fault(self) -> Reading | None:
        """What is committed; all that is shown must be the numbers of a whole sweep."""
        found = self.look()
        if found is not None and (wrong := wrong_so_far(found, self.reference)):
            raise Defect(Kind.WRONG, f"shown as committed after the fault: {', '.join(wrong)}")
        return found

    @property
    def reference(self) -> Reading:
        """The sweep as it is when nothing happens to it."""
        return self.bench.whole(self.sweep, same_bits(self.sweep, self.executor)).reading

    def settle(self, before: Reading | None = None, *more: str) -> Ended:
        """Run the same command again: it ends well, loses nothing, and leaves the right numbers.

        Parameters
        ----------
        before : Reading, optional
            What was committed.
        more : str
            Further words of the command.
        """
        ended = self.ends(self.start_run(*more), 0)
        self.not_recomputed(ended, before)
        self.check_whole()
        return ended

    def not_recomputed(self, ended: Ended, before: Reading | None) -> None:
        """Check in its own words that a sweep had no finished run to do."""
        if before is None:
            return
        left = len(self.reference.ids) - before.count("done")
        if ended.to_do > left:
            raise Defect(Kind.LOST, f"{left} runs were left, and {ended.to_do} were computed")

    def check_whole(self) -> None:
        """Check that the store is whole: verified, and equal to the reference to the bit."""
        ended = self.ends(self.start("verify", self.named), 0, 1)
        if ended.code:
            raise Defect(Kind.WRONG, f"verify: {ended.out.strip() or ended.err.strip()}")
        found = self.read()
        if found.error:
            raise Defect(Kind.REFUSED, found.error)
        if wrong := differences(found, self.reference):
            raise Defect(Kind.WRONG, f"differ from a sweep that nothing happened to: {', '.join(wrong)}")
        if found.said:
            raise Defect(Kind.MESSAGE, f"a reader of a whole store is warned: {found.said[0]}")

    def adopt(self, folder: Path) -> None:
        """Begin with a copy of a sample's store."""
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.copytree(folder / STORE, self.store, symlinks=True)

    def uniform(self, low: float, high: float) -> float:
        """A random number."""
        return float(self.rng.uniform(low, high))

    def choice(self, items: Sequence[T]) -> T:
        """One of some things."""
        return items[int(self.rng.integers(len(items)))]
