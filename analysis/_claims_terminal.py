"""Decided claims, and the statements of claims, for people at a terminal or behind a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._ascii import in_ascii
from sweepengine.analysis._claims_tables import (
    CAUGHT,
    NOT_CAUGHT,
    REMARK,
    counts_sentence,
    decisions_table,
    measured_what,
)
from sweepengine.analysis._format import printable
from sweepengine.analysis._terminal import STYLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

    from sweepengine.analysis._claim import Claim
    from sweepengine.analysis._decision import Decision

    Write = Callable[..., Text]

_STYLES: Final = STYLES | {CAUGHT: "green", NOT_CAUGHT: "bold red"}
_PLAIN: Final = "none"
_TABLE_WIDTH: Final = 130
"""Columns from which a terminal shows the table of decisions; a narrower one shows a block for each row."""
_LIST_WIDTH: Final = 100
_LONGEST_ID: Final = 18
"""Columns of a longer id are folded."""


class DecisionsView:
    """Rich renderable of decided claims: one table, or blocks where its columns would be a few letters wide.

    Use it as `console.print(DecisionsView(decisions))`. Why a row is undecided stands below the table, or below the
    row. It writes ASCII where the encoding of the terminal is no Unicode.
    """

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self.decisions = decisions

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the rows, the reasons of undecided ones, and how many claims hold."""
        text = _writer(ascii_only=options.ascii_only)
        if options.max_width >= _TABLE_WIDTH:
            yield self._table(text, ascii_only=options.ascii_only)
            yield from self._reasons(text)
        else:
            yield from self._blocks(text)
        yield text(f"\n{counts_sentence(self.decisions)}", "bold")

    def _table(self, text: Write, *, ascii_only: bool) -> Table:
        from rich import box
        from rich.table import Table

        content = decisions_table(self.decisions)
        table = Table(box=box.ASCII if ascii_only else box.SIMPLE_HEAD, pad_edge=False)
        for name in content.headers[:-1]:
            longest = max((len(row[content.headers.index(name)]) for row in content.rows), default=0)
            table.add_column(
                name,
                overflow="fold",
                no_wrap=name in {"expected", "verdict", "seconds"},
                min_width=min(longest, _LONGEST_ID) if name == "id" else None,
                justify="right" if name == "seconds" else "left",
            )
        before = ""
        for row in content.rows:
            if before and row[0] != before:
                table.add_section()
            cells = ["" if row[0] == before else row[0], *row[1:-1]]
            before = row[0]
            table.add_row(*(text(cell, _STYLES.get(cell, _PLAIN)) for cell in cells))
        return table

    def _reasons(self, text: Write) -> Iterator[RenderableType]:
        undecided = [(each, row) for each in self.decisions for row in each.rows if row.verdict == "undecided"]
        if undecided:
            yield text("Why rows are undecided:", "bold")
        for decision, row in undecided:
            yield _indented(text(f"{decision.claim.id}: {measured_what(row)}: {decision.why(row)}"), 2)

    def _blocks(self, text: Write) -> Iterator[RenderableType]:
        content = decisions_table(self.decisions)
        before = ""
        for row in content.rows:
            cells = dict(zip(content.headers, row, strict=True))
            name, verdict = cells["id"], cells["verdict"]
            if name != before:
                known = cells["seconds"] not in {"", "–"}
                yield text(f"\n{name} ({cells['seconds']} s)" if known else f"\n{name}", "bold")
                before = name
            yield _indented(text(f"{cells['source']}: {cells['what was measured']}"), 2)
            line = text(f"expected {cells['expected']}, measured {cells['measured [95 %]']}: ")
            yield _indented(line.append_text(text(verdict, _STYLES.get(verdict, _PLAIN))), 4)
            if verdict == "undecided":
                yield _indented(text(cells[REMARK], "dim"), 4)


class StatementsView:
    """Rich renderable of what claims state, where the notes say it, and which jobs measure it."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = claims

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield one table, or a block for each claim on a narrow terminal."""
        from rich import box
        from rich.table import Table

        text = _writer(ascii_only=options.ascii_only)
        if options.max_width < _LIST_WIDTH:
            for claim in self.claims:
                yield text(claim.id, "bold")
                yield _indented(text(claim.says), 2)
                yield _indented(text(f"{claim.source}; {', '.join(claim.jobs)}", "dim"), 2)
            return
        table = Table(show_lines=True, box=box.ASCII if options.ascii_only else box.SQUARE)
        for name in ("id", "statement", "source", "jobs"):
            table.add_column(name, overflow="fold")
        for claim in self.claims:
            table.add_row(*map(text, (claim.id, claim.says, claim.source, ", ".join(claim.jobs))))
        yield table


def _writer(*, ascii_only: bool) -> Write:
    from rich.text import Text

    def text(content: str, style: str = "") -> Text:
        clean = "\n".join(printable(line) for line in content.split("\n"))
        return Text(in_ascii(clean) if ascii_only else clean, style=style)

    return text


def _indented(text: Text, columns: int) -> RenderableType:
    from rich.padding import Padding

    return Padding(text, (0, 0, 0, columns))
