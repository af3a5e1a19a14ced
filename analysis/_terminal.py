"""The summary as a table for people at a terminal, or behind a pipe."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._ascii import in_ascii
from sweepengine.analysis._constants import STATUSES
from sweepengine.analysis._format import printable, with_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

    from sweepengine.analysis._results import GroupSummary, Summary
    from sweepengine.analysis._scaling_fit import ScalingFit

STYLES: Final = {"holds": "green", "violated": "bold red", "differs": "bold yellow", "undecided": "dim", "none": "dim"}
"""Verdict → style on a terminal."""
_AMPLE: Final = 1000
"""A width at which no table is cut."""
_NOTE: Final = (
    "Limit: exponent of the width m as m → ∞, finite-size terms allowed for, with its 95 % interval over seeds; in the "
    "second line that of a straight line at these widths. Expected: ≤ a theorem's bound, → an asymptote. Accuracy and "
    "loss: mean ± standard error over seeds at the largest width."
)


@dataclass(frozen=True, slots=True)
class SummaryText:
    """What a terminal shows of a summary, as plain texts, which can be kept and laid out again at any width.

    Attributes
    ----------
    headline
        Name of the sweep and counts of its runs.
    groups
        For each group its rows: the cells of the five columns, and the style of the verdict.
    warnings
        Sentences below the table.
    """

    headline: str
    groups: tuple[tuple[tuple[tuple[str, ...], str], ...], ...]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, summary: Summary) -> SummaryText:
        """The texts of a summary."""
        groups = tuple(
            tuple(
                ((group.label if k == 0 else "", *cells), style)
                for k, (cells, style) in enumerate(_rows(summary, group))
            )
            for group in summary.groups
        )
        return cls(_headline(summary), groups, summary.warnings)

    def to_json(self) -> dict[str, Any]:
        """The texts as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> SummaryText:
        """The texts that :meth:`to_json` gave, after a way through JSON."""
        groups = tuple(
            tuple((tuple(map(str, cells)), str(style)) for cells, style in rows) for rows in content["groups"]
        )
        return cls(str(content["headline"]), groups, tuple(map(str, content["warnings"])))


class SummaryView:
    """Rich renderable of a summary or of its texts: a table, or lines where the terminal is too narrow for its columns.

    Use it as `console.print(SummaryView(summary))`. It writes ASCII where the encoding of the terminal is no Unicode.
    """

    def __init__(self, summary: Summary | SummaryText) -> None:
        self._text = summary if isinstance(summary, SummaryText) else SummaryText.of(summary)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the counts, the table, the note below the table and the warnings."""
        from rich.measure import Measurement
        from rich.text import Text

        ascii_only = options.ascii_only

        def text(content: str, style: str = "") -> Text:
            clean = printable(content)
            return Text(in_ascii(clean) if ascii_only else clean, style=style)

        yield text(self._text.headline, "bold")
        table = self._table(ascii_only)
        if Measurement.get(console, options.update(width=_AMPLE), table).minimum <= options.max_width:
            yield table
        else:
            yield from (text(line, style) for line, style in self._lines())
        yield text(_NOTE, "dim")
        for warning in self._text.warnings:
            yield text(f"! {warning}", "yellow")

    def _lines(self) -> Iterator[tuple[str, str]]:
        """The cells of the table one below the other, with their styles."""
        for rows in self._text.groups:
            for (label, title, limit, expected, verdict), style in rows:
                if label:
                    yield "", ""
                    yield label, "bold"
                if title or limit:
                    yield f"  {title}: {limit}", ""
                if expected.strip("–"):
                    yield f"    expected {expected}: {verdict}", style
        yield "", ""

    def _table(self, ascii_only: bool) -> Table:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=box.ASCII if ascii_only else box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1),
            collapse_padding=True,
            header_style="bold",
        )
        for name, least in (("scaling", 7), ("quantity", 17), ("limit [95 %]", 22), ("expected", 8), ("verdict", 9)):
            table.add_column(name, min_width=least, no_wrap=name in {"expected", "verdict"}, overflow="fold")
        for rows in self._text.groups:
            for (label, *cells), style in rows:
                shown = [printable(label), *cells]
                styles = ["bold", "", "", "", style]
                table.add_row(
                    *(Text(in_ascii(c) if ascii_only else c, style=s) for c, s in zip(shown, styles, strict=True))
                )
            table.add_section()
        return table


def to_text(summary: Summary, width: int = 80) -> str:
    """Return the summary as plain text of at most `width` columns, without colours or escapes."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, force_terminal=False, highlight=False, _environ={})
    console.print(SummaryView(summary))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def counts_text(counts: dict[str, int]) -> str:
    """Return `110 done · 2 diverged · 0 failed · 0 pending`; `running` is left out where it is 0."""
    order = [s for s in STATUSES if s != "running" or counts[s]]
    return " · ".join(f"{counts[s]} {s}" for s in order)


def _headline(summary: Summary) -> str:
    name = summary.title or "sweep"
    return f"{name}: {summary.runs} run{'s' if summary.runs != 1 else ''} · {counts_text(summary.counts)}"


def _rows(summary: Summary, group: GroupSummary) -> Iterator[tuple[list[str], str]]:
    """Yield one row for each claim; the first row of a quantity has its title and its exponent in the limit.

    The second row has the exponent at these widths.

    The claims are those about headline quantities, or all claims where the kind has no headline.
    """
    if not summary.kind.headlines:
        for claim in (c for c in summary.claims if c.group == group.label):
            yield [claim.title, claim.measured_text, claim.expected_text, claim.verdict], STYLES[claim.verdict]
    for name in summary.kind.headlines:
        title = summary.kind.quantity(name).title
        fit = group.fits.get(name)
        left = [[title, str(fit.exponent) if fit else "no fit"]]
        if fit:
            left.append(["  at these widths", line_text(fit)])
        claims = [c for c in summary.claims if c.group == group.label and c.observable == name]
        for k in range(max(len(left), len(claims))):
            cells = left[k] if k < len(left) else ["", ""]
            if k < len(claims):
                yield [*cells, claims[k].expected_text, claims[k].verdict], STYLES[claims[k].verdict]
            else:
                yield [*cells, *(["–", "–"] if not claims and k == 0 else ["", ""])], "dim"
    if group.level:
        title = summary.kind.quantity(group.level_name).title
        yield [title, f"{level_text(group)} at {group.level.width}", "", ""], ""


def line_text(fit: ScalingFit) -> str:
    """Return `−0.980 ± 0.031`: the exponent of the straight line at these widths, which is none of the limit."""
    line = fit.exponent_at_these_widths
    return with_error(line.value, line.half_width)


def at_these_widths(fit: ScalingFit) -> str:
    """Return `at these widths −0.980 ± 0.031`."""
    return f"at these widths {line_text(fit)}"


def level_text(group: GroupSummary) -> str:
    """Return `0.9531 ± 0.0042`: the mean ± standard error of the accuracy or loss over seeds at the largest width.

    With one seed there is no standard error, and the mean stands alone.
    """
    return "–" if group.level is None else with_error(group.level.mean, group.level.se)
