"""Parts that all charts share: the plotting libraries, loaded on demand, and colours, axes and typography."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._axes import symbol_of
from sweepengine.analysis._constants import EXTRA_HINT
from sweepengine.analysis._errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    import altair as alt

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
"""Okabe and Ito's colours, safe for colour-blind readers (yellow darkened), legible on white and on near-black."""
SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross")
GREY: Final = "#8a8a82"
"""Colour of what is compared with, legible on white and on near-black."""
_RAMP: Final = ((46, 108, 184), (140, 100, 184), (205, 96, 132), (222, 128, 62))
"""Blue to orange through rose: ordered, and clear of both black and white at either end."""
PADDING: Final = 12
"""Pixels around a picture that stands alone, so that no label touches its edge."""
_FEWEST_TICKS: Final = 3
_MOST_TICKS: Final = 10


def load_altair() -> ModuleType:
    """Import Altair, or say how to install it.

    Raises
    ------
    MissingExtraError
        The extra `report` is not installed.
    """
    try:
        import altair as alt
    except ImportError as error:
        raise _missing("altair", error) from error
    return alt


def load_vl_convert() -> ModuleType:
    """Import vl-convert (the Vega libraries and the static renderer), or say how to install it.

    Raises
    ------
    MissingExtraError
        The extra `report` is not installed.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise _missing("vl-convert-python", error) from error
    return vl_convert


def vega_lite_version() -> str:
    """Version of Vega-Lite that Altair writes, in the form that vl-convert takes: `6.4`."""
    return ".".join(load_altair().SCHEMA_VERSION.lstrip("v").split(".")[:2])


def schema_url() -> str:
    """The address by which a specification names the version of Vega-Lite; nothing is read from it."""
    return f"https://vega.github.io/schema/vega-lite/{load_altair().SCHEMA_VERSION}.json"


def _missing(name: str, error: ImportError) -> MissingExtraError:
    return MissingExtraError(
        f"The report needs {name}, which cannot be imported ({error}). Install it with "
        f"{EXTRA_HINT}; the terminal summary works without them."
    )


def ramp(count: int) -> list[str]:
    """Return `count` colours of the ordered ramp."""
    colours = []
    for k in range(count):
        at = k / max(1, count - 1) * (len(_RAMP) - 1)
        lower = min(int(at), len(_RAMP) - 2)
        mixed = [a + (b - a) * (at - lower) for a, b in zip(_RAMP[lower], _RAMP[lower + 1], strict=True)]
        colours.append("#" + "".join(f"{round(c):02x}" for c in mixed))
    return colours


def log_x(alt: ModuleType, values: Sequence[float], axis: str = "width") -> Any:
    """Logarithmic axis of widths, or of values of another axis of the sweep, with ticks at the values."""
    return alt.X(
        f"{axis}:Q",
        title="width m" if axis == "width" else symbol_of(axis),
        scale=alt.Scale(type="log", base=2, domain=log_domain(values, 1.25), nice=False),
        axis=alt.Axis(values=sorted(set(values)), format="~g", labelOverlap=True, grid=False),
    )


def log_domain(values: Sequence[float], pad: float) -> list[float]:
    """Ends of a log axis, a factor `pad` beyond the values; 0.1 and 1 where there are no values."""
    if not values:
        return [0.1, 1.0]
    low, high = min(values) / pad, max(values) * pad
    return [low, high] if high > low else [low / 2, high * 2]


def log_ticks(domain: Sequence[float]) -> list[float]:
    """Return round ticks of a log axis: 1, 2, 5 times powers of ten below two decades; 1, 3 below three; else 1.

    Where these are fewer than three, the axis is so short that it has evenly spaced ticks.
    """
    low, high = domain
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
    ends = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in ends for step in steps if low <= step * 10.0**power <= high]
    if len(ticks) >= _FEWEST_TICKS:
        return ticks[:: math.ceil(len(ticks) / _MOST_TICKS)]
    size = 10.0 ** math.floor(math.log10(high - low))
    step = next(step for step in (size, size / 2, size / 5, size / 10) if high // step - low // step >= _FEWEST_TICKS)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def log_axis(alt: ModuleType, field: str, values: Sequence[float], *, pad: float, title: str, grid: bool = True) -> Any:
    """Return the keyword arguments of a channel with a log axis and round ticks."""
    domain = log_domain(values, pad)
    return {
        "shorthand": field,
        "title": title,
        "scale": alt.Scale(type="log", domain=domain, nice=False),
        "axis": alt.Axis(format="~g", values=log_ticks(domain), labelOverlap=True, grid=grid),
    }


def linear_axis(alt: ModuleType, field: str, values: Sequence[float], *, pad: float, title: str) -> Any:
    """Return the keyword arguments of a channel with a linear axis ``pad`` times as long as the range of the values."""
    low, high = min(values), max(values)
    beyond = (pad - 1) / 2 * (high - low) or abs(high) or 1.0
    return {
        "shorthand": field,
        "title": title,
        "scale": alt.Scale(type="linear", domain=[low - beyond, high + beyond], nice=False, zero=False),
        "axis": alt.Axis(format=".6~g", labelOverlap=True, grid=True),
    }


def tips(alt: ModuleType, names: dict[str, str], numbers: dict[str, str]) -> list[Any]:
    """Tooltip fields: names unchanged, numbers with four significant digits."""
    plain = [alt.Tooltip(f"{field}:N", title=title) for field, title in names.items()]
    return plain + [alt.Tooltip(f"{field}:Q", title=title, format=".4g") for field, title in numbers.items()]


def configuration() -> dict[str, Any]:
    """Return the Vega-Lite config of every figure: quiet axes, no frame, and the page's background showing through."""
    font = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
    return {
        "background": "transparent",
        "font": font,
        "view": {"stroke": None},
        "axis": {
            "labelFontSize": 11.5,
            "titleFontSize": 12.5,
            "titleFontWeight": 500,
            "titlePadding": 8,
            "titleLimit": 320,
            "gridColor": "#e4e4de",
            "gridWidth": 0.8,
            "domainColor": GREY,
            "tickColor": GREY,
            "labelColor": "#55554f",
            "titleColor": "#2b2b28",
            "tickSize": 4,
        },
        "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500, "labelLimit": 0},
    }


def finish(chart: alt.LayerChart | alt.Chart, width: int | str) -> dict[str, Any]:
    """Configure a chart and return its specification."""
    spec: dict[str, Any] = chart.configure(**configuration()).to_dict(validate=False)  # the tests validate every chart
    if width == "container":
        spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec
