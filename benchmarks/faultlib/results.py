"""Results as JSON lines, one a case, and the table that they make."""

from __future__ import annotations

import fcntl
import json
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
    with path.open("a", encoding="utf-8") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        opened.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")


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
    """A Markdown table: a row for each commit and campaign, its cases and its defects by name."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for each in results:
        rows.setdefault((each.commit, each.campaign), Counter())[each.verdict] += 1
    lines = ["| product | campaign | cases | fine | defects |", "| --- | --- | ---: | ---: | --- |"]
    for (commit, campaign), counts in rows.items():
        defects = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if name != FINE) or "none"
        lines.append(f"| `{commit}` | {campaign} | {counts.total()} | {counts[FINE]} | {defects} |")
    return "\n".join(lines)
