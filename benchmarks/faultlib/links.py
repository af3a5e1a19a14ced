"""Folders of a store that are links to the outside: nothing that lies there is deleted.

Either a folder of the store has been moved out and a link put in its place, as where a disk is full: its own objects
may be written there, and none may vanish. Or a link to somebody's folder lies where the store keeps what it deletes:
nothing may change there. `repair` and `run` may refuse, with a word of what to do.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from faultlib.bench import STATES
from faultlib.case import Case
from faultlib.objects import fingerprint, objects
from faultlib.verdict import Defect, Kind

if TYPE_CHECKING:
    from pathlib import Path

    from faultlib.bench import Bench

CASES = 40
_LARGEST = 8


def case(bench: Bench, number: int) -> str:
    """One case: half-finished stores, some damaged so that `repair` has something to do; links below state/ first."""
    sweep = ("networks", "particles")[number % 2]
    with Case(bench, "links", number, sweep) as each:
        each.adopt(bench.half(sweep, number // 2 % STATES).folder)
        outside = each.folder / "outside"
        is_moved = number // 2 % 2 == 0
        (_moved if is_moved else _stray)(each, outside, below_state=number // 4 % 2 == 0)
        if number // 8 % 2 == 0:
            _damage(each)
        before, names = fingerprint(outside), _names(outside)
        for words in (("repair", each.store.name), None):
            command = each.start_run() if words is None else each.start(*words)
            ended = command.wait(each.limit)
            if (names - _names(outside)) if is_moved else (fingerprint(outside) != before):
                raise Defect(Kind.OUTSIDE, f"by {ended.words[0]}")
            each.check_words(ended, 0, 1, 2)
            if ended.words[0] == "run":
                each.clear_refusal(ended)
            each.did.append(f"{ended.words[0]} ended with {ended.code}")
        return each.story


def _names(folder: Path) -> set[str]:
    return {each.path for each in objects(folder)}


def _folders(case: Case, *, below_state: bool) -> list[Path]:
    found = sorted(each for each in case.store.rglob("*") if each.is_dir())
    return [each for each in found if ("state" in each.relative_to(case.store).parts) == below_state]


def _moved(case: Case, outside: Path, *, below_state: bool) -> None:
    """A folder of the store now lies outside."""
    folder = case.choice(_folders(case, below_state=below_state))
    shutil.move(folder, outside)
    folder.symlink_to(outside)
    case.did.append(f"{folder.relative_to(case.store)} moved out")


def _stray(case: Case, outside: Path, *, below_state: bool) -> None:
    """A folder of somebody else's, with files named as the store's are, is linked beside the store's own."""
    folder = case.choice(_folders(case, below_state=below_state))
    shutil.copytree(folder, outside)
    link = folder / "stray" if case.rng.integers(2) else folder.with_name("stray")
    link.symlink_to(outside)
    case.did.append(f"{link.relative_to(case.store)} links out")


def _damage(case: Case) -> None:
    """Change a byte of one of the largest files, which are records and states; none behind a link."""
    sizes = {each: (case.store / each.path).stat().st_size for each in objects(case.store)}
    victim = case.choice(sorted(sizes, key=lambda each: (-sizes[each], each))[:_LARGEST])
    path = case.store / victim.path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    case.did.append(f"{victim.path} damaged")
