"""One object of a sound store is damaged: it is found and mended, or refused with a way out, or nobody reads it.

`verify` names it, or every number that is shown, by the product and by a plain reader, is what it was. No reader shows
another number without a word. Then `repair` and `run` (of half of the cases `run` alone) restore the numbers to the
bit, or say what to restore.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from faultlib.bench import COMMANDS, STATES, without_place
from faultlib.case import WAY_OUT, Case
from faultlib.child import in_child
from faultlib.damage import damage
from faultlib.objects import by_kind
from faultlib.reading import PROGRESS, Reading, differences, read_plainly, read_store
from faultlib.verdict import Defect, Kind

if TYPE_CHECKING:
    from pathlib import Path

    from faultlib.bench import Bench, Sample
    from faultlib.child import Ended

CASES = 300
_SAID = re.compile(r"damaged|not what was written|^\W*(warning|error)\b", re.IGNORECASE | re.MULTILINE)


def case(bench: Bench, number: int) -> str:
    """One case: both sweeps in turn, finished and half-finished; kinds of objects in turn."""
    sweep = ("networks", "particles")[number % 2]
    sample = bench.whole(sweep) if number // 2 % 2 == 0 else bench.half(sweep, number // 4 % STATES)
    with Case(bench, "corruptions", number, sweep) as each:
        each.adopt(sample.folder)
        kinds = by_kind(each.store)
        kind = list(kinds)[number // 4 % len(kinds)]
        each.did.append(damage(each.rng, each.store, kinds[kind]))
        _judge(each, sample, repair_first=bool(each.rng.integers(2)))
        return each.story


def _judge(case: Case, sample: Sample, *, repair_first: bool) -> None:
    store = case.store
    found, plain = in_child(lambda: read_store(store)), in_child(lambda: read_plainly(store))
    verified = case.check_words(case.start(*COMMANDS["verify"]).wait(case.limit), 0, 1, 2)
    said = {name: case.check_words(case.start(*COMMANDS[name]).wait(case.limit), 0, 1, 2) for name in sample.said}
    _detected(found, plain, verified, sample)
    _no_silent_change(found, said, sample, case.folder)
    if repair_first:
        _repair(case)
    ended = case.check_words(case.start_run().wait(case.limit), 0, 1, 2)
    if ended.code:
        case.clear_refusal(ended)
    elif case.check_words(case.start(*COMMANDS["verify"]).wait(case.limit), 0, 1).code == 0 or _repair(case):
        case.settle()


def _repair(case: Case) -> bool:
    """Whether `repair` leaves something that `run` can mend; where it does not, it says what to restore."""
    ended = case.check_words(case.start("repair", case.store.name).wait(case.limit), 0, 1, 2)
    said = ended.out + ended.err
    if ended.code and not WAY_OUT.search(said):
        raise Defect(Kind.MESSAGE, f"repair leaves damage and does not say what to restore: {said}")
    return ended.code == 0


def _detected(found: Reading, plain: str, verified: Ended, sample: Sample) -> None:
    """`verify` has found it, or nothing that is shown has changed."""
    if verified.code:
        if not (verified.out + verified.err).strip():
            raise Defect(Kind.MESSAGE, "verify ends with 1 and names nothing")
        return
    if found.error:
        raise Defect(Kind.UNDETECTED, f"verify is content, and a reader is told: {found.error}")
    if changed := differences(found, sample.reading, ignored=()):
        raise Defect(Kind.UNDETECTED, f"verify is content, and these have changed: {', '.join(changed)}")
    if plain != sample.plain:
        raise Defect(Kind.UNDETECTED_PLAIN, f"verify is content, and they see another store ({plain})")


def _no_silent_change(found: Reading, said: dict[str, Ended], sample: Sample, folder: Path) -> None:
    """A reader that is shown something else is told so."""
    if not found.error and not found.said:
        changed = differences(found, sample.reading, ignored=("peak_memory",))
        if set(changed) - set(PROGRESS) and not _is_less(found, sample.reading, changed):
            raise Defect(Kind.WRONG, f"shown without a word: {', '.join(changed)}")
    for name, ended in said.items():
        shown = without_place(ended.out, folder)
        if ended.code == 0 and shown != sample.said[name] and not _SAID.search(ended.err + ended.out):
            raise Defect(Kind.WRONG, f"{name} says something else than before, and no word of damage")


def _is_less(found: Reading, before: Reading, changed: list[str]) -> bool:
    """Whether what differs is only not there any more, and its status says so."""
    import numpy as np

    if "status" not in changed and "records_done" not in changed:
        return False
    for name in set(changed) - set(PROGRESS):
        if name not in found.numbers or name not in before.numbers:
            return False
        (_, new), (_, old) = found.numbers[name], before.numbers[name]
        if new.shape != old.shape or new.dtype.kind != "f" or not np.all(np.isnan(new) | (new == old)):
            return False
    return True
