"""Legends of charts: groups and names above, lines told apart by their dashes below, as wide as the page allows."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._chart_parts import COLOURS, GREY, SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

FIT, LEFT_OUT, EXPECTED, LIMIT = "fit", "left out of the fit", "expected", "m = ∞"
"""Names of lines in data and legends."""
_STROKE: Final = 500
"""Size of a stroke in a legend, 22 pixels long, so that its dashes can be seen."""
_DASHES: Final = {FIT: [1, 0], LEFT_OUT: [6, 4], EXPECTED: [1, 4], LIMIT: [5, 4]}
"""What tells lines apart in black and white too."""
_CHARACTER: Final = 6.6
"""Width of a character of a legend in pixels."""
_EXPRESSIONS: Final = frozenset({"labelExpr", "expr"})


def _cycle(items: Sequence[str], count: int) -> list[str]:
    return [items[k % len(items)] for k in range(count)]


def group_colour(alt: ModuleType, groups: Sequence[str]) -> Any:
    """Colour by group, with a legend in which a click picks a group."""
    return alt.Color(
        "group:N",
        scale=alt.Scale(domain=list(groups), range=_cycle(COLOURS, len(groups))),
        legend=names_legend(alt, groups),
    )


def group_shape(alt: ModuleType, groups: Sequence[str]) -> Any:
    """Shape by group, in the same legend, so that colour is never the only difference."""
    return alt.Shape(
        "group:N",
        scale=alt.Scale(domain=list(groups), range=_cycle(SHAPES, len(groups))),
        legend=names_legend(alt, groups),
    )


def names_legend(alt: ModuleType, names: Sequence[str]) -> Any:
    """Legend above a chart, one name below the other; a name takes as many lines as it needs to be no wider."""
    characters = f"max(12, floor((width - 14) / {_CHARACTER}))"
    lines = f"regexp('(.{{1,' + {characters} + '}})(?:\\\\s|$)|(.{{' + {characters} + '}})', 'g')"
    longest = max(map(len, names), default=0)
    # Vega makes room for the first line of a name alone. Lines end at spaces, so they are shorter than they might be.
    return alt.Legend(
        orient="top",
        title=None,
        columns=1,
        symbolSize=80,
        symbolOpacity=1,
        labelExpr=f"split(trim(replace(datum.label, {lines}, '$1$2\\n')), '\\n')",
        rowPadding={"expr": f"{longest} <= {characters} ? 2 : 2 + 14 * (ceil({longest} / ({characters} - 5)) - 1)"},
    )


def row_legend(alt: ModuleType, names: Sequence[Any], symbol_size: float = 100, **options: Any) -> Any:
    """Legend of short names side by side, in as many rows as the chart's width asks for."""
    entry = 16 + math.sqrt(symbol_size) + _CHARACTER * max((len(str(name)) for name in names), default=0)
    columns = {"expr": f"max(1, floor(width / {entry:.0f}))"} if len(names) > 1 else 1
    return alt.Legend(columns=columns, symbolSize=symbol_size, **{"orient": "bottom", "symbolOpacity": 1} | options)


def at_width(spec: Any, width: float) -> Any:
    """A specification whose legends fit a given width, not the signal of that name, which parts of a chart lack."""
    if isinstance(spec, list):
        return [at_width(each, width) for each in spec]
    if not isinstance(spec, dict):
        return spec
    return {
        key: re.sub(r"\bwidth\b", f"{width:g}", value) if key in _EXPRESSIONS and isinstance(value, str)
        else at_width(value, width)
        for key, value in spec.items()
    }  # fmt: skip


def line_key(
    alt: ModuleType, names: Sequence[str], *, orient: str = "bottom", dashes: bool = True, colour: str = GREY
) -> Any:
    """Dashes of lines by the field `line`, with a legend of what is fitted, expected, or that of a limit.

    Parameters
    ----------
    names
        Names of the lines that a chart draws, of those that this module knows.
    orient
        Side of the legend, on which the chart has no other one.
    dashes
        Whether the marks are lines that can be dashed; the legend of ticks is a plain stroke.
    colour
        Colour of the legend's strokes: that of the marks where they have one, else grey.
    """
    drawn = [name for name in _DASHES if name in names]
    scale = alt.Scale(domain=drawn, range=[_DASHES[name] if dashes else [1, 0] for name in drawn])
    stroke = {"symbolType": "stroke", "symbolStrokeWidth": 2, "symbolStrokeColor": colour}
    # Vega lays a legend without entries out to infinity.
    legend = row_legend(alt, drawn, _STROKE, orient=orient, title=None, **stroke) if drawn else None
    return alt.StrokeDash("line:N", scale=scale, legend=legend)


def named(layer: Any, name: str) -> Any:
    """A layer whose rows all have the field `line` with a name that this module knows."""
    return layer.transform_calculate(line=f"'{name}'")
