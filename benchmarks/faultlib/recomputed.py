"""Which records were computed more than once, and which of them although a mark in the store had them."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

WITNESS = Path(__file__).parent / "witness"
"""A folder for `PYTHONPATH`, with which workers tell what they do."""


@dataclass(frozen=True)
class Recomputed:
    """What the workers of a case have computed.

    Attributes
    ----------
    computed : int
        Records that were computed, each as often as it was.
    again : int
        Those of them that had been computed before.
    in_vain : tuple of (str, int)
        Run and record of those that a mark had when the task began that computed them, or that this task had marked
        itself. Of `again`, all but these are what came after the last mark of a lost worker.
    """

    computed: int
    again: int
    in_vain: tuple[tuple[str, int], ...]


def recomputed(witness: Path) -> Recomputed:
    """Read what the workers have told, by `witness/sitecustomize.py`."""
    lines = [json.loads(line) for line in witness.read_text().splitlines()] if witness.exists() else []
    marks: dict[str, list[tuple[float, str, int]]] = defaultdict(list)
    seen: set[tuple[str, int]] = set()
    computed, in_vain = 0, []
    for each in lines:
        if "committed" in each:
            for run, done in each["runs"].items():
                marks[run].append((each["committed"], each["task"], done))
            continue
        run, record = each["run"], each["record"]
        computed += 1
        seen.add((run, record))
        if any(
            record < done and (committed < each["begun"] or task == each["task"])
            for committed, task, done in marks[run]
        ):
            in_vain.append((run, record))
    return Recomputed(computed, computed - len(seen), tuple(in_vain))
