"""Results as JSON lines, one a case, and the table that they make."""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from faultlib.verdict import FINE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Result:
    """One case.

    Attributes
    ----------
    campaign : str
    number : int
    commit : str
        Of the product.
    verdict : str
        Fine, or the name of the defect.
    note : str
        What was done, or what was seen.
    seconds : float
    replay : str
        The command that does it again.
    """

    campaign: str
    number: int
    commit: str
    verdict: str
    note: str
    seconds: float
    replay: str


def append(path: Path, result: Result) -> None:
    """Add a line, whole, whoever else writes."""
    with path.open("a+", encoding="utf-8") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        if (size := opened.seek(0, os.SEEK_END)) and not _ends_a_line(path, size):
            opened.write("\n")  # the line before was cut off by a kill
        opened.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")


def _ends_a_line(path: Path, size: int) -> bool:
    with path.open("rb") as opened:
        opened.seek(size - 1)
        return opened.read() == b"\n"


def read(path: Path) -> list[Result]:
    """The last result of every case; a line that was cut off by a kill is none."""
    found: dict[tuple[str, int, str], Result] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            result = Result(**json.loads(line))
        except (ValueError, TypeError):
            continue
        found[result.campaign, result.number, result.commit] = result
    return list(found.values())


def summary(results: Iterable[Result]) -> str:
    """A Markdown table: a row for each campaign; for each commit of the product a column of cases and named defects."""
    cells: dict[str, dict[str, Counter[str]]] = {}
    for each in results:
        cells.setdefault(each.campaign, {}).setdefault(each.commit, Counter())[each.verdict] += 1
    commits = list(dict.fromkeys(commit for row in cells.values() for commit in row))
    lines = [
        "| campaign | " + " | ".join(f"cases at `{commit}` | defects" for commit in commits) + " |",
        "| --- |" + " ---: | --- |" * len(commits),
    ]
    for campaign, row in cells.items():
        shown = " | ".join(_cell(row.get(commit, Counter())) for commit in commits)
        lines.append(f"| {campaign} | {shown} |")
    return "\n".join(lines)


def _cell(counts: Counter[str]) -> str:
    defects = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if name != FINE)
    return f"{counts.total()} | {defects or 'none'}" if counts else "– | –"
