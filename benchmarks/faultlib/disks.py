"""A disk that is full (of bytes, of files), turns read-only, or loses the store's folder: exit 1 and one good message.

The store lies on a small tmpfs of its own, which needs the right to mount. Once there is room, the same command goes
on.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from faultlib.bench import write_spec
from faultlib.case import Case
from faultlib.moments import ANY, wait_for
from faultlib.objects import objects
from faultlib.sweeps import INLINE, RAY
from faultlib.verdict import Defect, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultlib.bench import Bench
    from faultlib.child import Ended

CASES = 30
_ROOM = "size=256m,nr_inodes=100000"
_PAGE = 4096


def case(bench: Bench, number: int) -> str:
    """One case: every sixth on Ray."""
    executor = RAY if number % 6 == 5 else INLINE
    fault = (_small, _few_files, _filled, _read_only, _deleted)[number % 5]
    sweep = ("networks", "particles")[number // 5 % 2]
    with Case(bench, "disks", number, sweep, executor) as each, _disk(each):
        fault(each)
        return each.story


@contextlib.contextmanager
def _disk(case: Case) -> Iterator[None]:
    """A tmpfs as the case's folder."""
    _mount("-t", "tmpfs", "-o", _ROOM, "tmpfs", str(case.folder))
    try:
        write_spec(case.folder, case.sweep)
        yield
    finally:
        case.stop()
        _call("umount", "--lazy", str(case.folder))


def _small(case: Case) -> None:
    """Too few bytes from the start."""
    store = case.bench.whole(case.sweep).folder
    pages = sum(-(-(store / each.path).stat().st_size // _PAGE) for each in objects(store))
    share = case.uniform(0.02, 0.95)
    _limited(case, f"size={max(2, int(share * pages)) * _PAGE}", f"{share:.0%} of the bytes")


def _few_files(case: Case) -> None:
    """Too few inodes from the start."""
    folders = list(case.bench.whole(case.sweep).folder.rglob("*"))
    share = case.uniform(0.02, 0.95)
    _limited(case, f"nr_inodes={max(4, int(share * len(folders)))}", f"{share:.0%} of the files")


def _limited(case: Case, option: str, note: str) -> None:
    case.did.append(note)
    _remount(case, option)
    ended = case.start_run().wait(case.limit)
    _remount(case, _ROOM)
    _judge(case, ended)


def _filled(case: Case) -> None:
    """Somebody else's file takes all the room on the way."""
    case.did.append("filled")
    command = case.start_run()
    wait_for(case, command, ANY)
    _remount(case, "size=32m")
    filler = case.folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as opened:
        while True:
            opened.write(bytes(1 << 20))
    ended = command.wait(case.limit)
    filler.unlink()
    _judge(case, ended)


def _read_only(case: Case) -> None:
    """Mounted anew for reading only."""
    case.did.append("read-only")
    command = case.start_run()
    wait_for(case, command, ANY)
    deadline = time.monotonic() + 20
    while (said := _call("mount", "-o", "remount,ro", str(case.folder))) and time.monotonic() < deadline:
        time.sleep(0.001)  # busy: some file is open for writing at this moment
    if said:
        raise Defect(Kind.HARNESS, said)
    ended = command.wait(case.limit)
    _remount(case, "rw")
    _judge(case, ended)


def _deleted(case: Case) -> None:
    """The store's folder is removed; what is written afterwards may be refused, until that is removed too."""
    case.did.append("deleted")
    command = case.start_run()
    wait_for(case, command, ANY)
    shutil.rmtree(case.store, ignore_errors=True)
    ended = command.wait(case.limit)
    case.check_words(ended, 0, 1)
    case.clear_refusal(ended)
    case.did.append(f"ended with {ended.code}")
    again = case.start_run().wait(case.limit)
    if again.code == 0:
        case.check(again, 0)
        case.check_whole()
    else:
        case.check_words(again, 1, 2)
        case.clear_refusal(again)
        shutil.rmtree(case.store, ignore_errors=True)
        case.settle()


def _judge(case: Case, ended: Ended) -> None:
    """Check a driver that the disk has stopped, and that the same command goes on now."""
    # What could not fit even compressed is refused before anything is written, as a mistake of the spec.
    is_refused = "the sweep would write up to" in ended.err
    case.check_words(ended, 2 if is_refused else 0, 1)
    case.clear_refusal(ended)
    case.settle(case.look_after_fault())
    case.did.append(f"ended with {ended.code}")


def _remount(case: Case, options: str) -> None:
    _mount("-o", f"remount,{options}", str(case.folder))


def _mount(*words: str) -> None:
    if said := _call("mount", *words):
        raise Defect(Kind.HARNESS, f"mount {' '.join(words)}: {said}")


def _call(name: str, *words: str) -> str:
    """What a program complains of; nothing where it went well."""
    program = shutil.which(name)
    if program is None:
        return f"{name}: not found"
    ended = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    return ended.stderr.strip() if ended.returncode else ""
