"""Pages with figures: the libraries that draw them, and each figure with its number, caption and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sweepengine.analysis._chart_parts import load_vl_convert, vega_lite_version
from sweepengine.analysis._markup import asset, document, escape, formula, script_json
from sweepengine.analysis._series import evenly

if TYPE_CHECKING:
    from sweepengine.analysis._figure import Figure

NO_SCRIPT: Final = "<noscript><p>The figures need JavaScript; the tables hold the same numbers.</p></noscript>"

_MANY: Final = 4
"""Number of panels beyond which they are small."""
_PRINTED: Final = 6
"""Number of frames that a printed page shows of a figure with a slider."""


def page_with_figures(title: str, main: str) -> str:
    """Write a self-contained page in which only the two scripts that draw the figures may run.

    Parameters
    ----------
    title, main
        As for :func:`._markup.document`.

    Raises
    ------
    MissingExtraError
        The extra `report` is not installed.
    """
    library = load_vl_convert().javascript_bundle(vl_version=vega_lite_version())
    return document(title, main, [library, asset("embed.js")])


def section(key: str, title: str, content: str) -> str:
    """Write a section with its heading; the texts are of our own or escaped."""
    return f'<section id="{key}">\n<h2>{title}</h2>\n{content}\n</section>'


def details(title: str, content: str) -> str:
    """Write a part that opens at a click; the texts are of our own or escaped."""
    return f"<details><summary>{title}</summary>\n{content}\n</details>"


def figure_html(figure: Figure, number: int) -> str:
    """Write a figure with its number, its caption, and the data of its charts beside their places."""
    panels = []
    printed = set(evenly(len(figure.panels), _PRINTED).tolist()) if figure.frames else set()
    for k, panel in enumerate(figure.panels):
        heading = f"<h4>{escape(panel.heading)}</h4>" if panel.heading else ""
        data = f"{figure.key}-{k}"
        states = " shown" * (figure.frames and k == 0) + " printed" * (k in printed)
        panels.append(
            f'<div class="panel{states}">{heading}<div class="chart" data-chart="{data}" role="group" '
            f'aria-label="{escape(panel.alt)}"></div>\n'
            f'<script type="application/json" id="{data}">{script_json(panel.spec)}</script></div>'
        )
    caption = " ".join(text for text in (formula(figure.formula), escape(figure.caption)) if text)
    many = " frames" if figure.frames else " many" if len(panels) > 1 else ""
    many += " small" if len(panels) > _MANY and not figure.frames else ""
    return (
        f'<figure class="plot" id="{figure.key}"><h3>{escape(figure.title[:1].upper() + figure.title[1:])}</h3>\n'
        f'{_slider(figure) if figure.frames else ""}<div class="panels{many}">{"".join(panels)}</div>\n'
        f"<figcaption><b>Figure {number}.</b> {caption}</figcaption></figure>"
    )


def _slider(figure: Figure) -> str:
    """The control that picks the frame; the arrow keys move it too."""
    return (
        f'<label class="slider">Time <input type="range" min="0" max="{len(figure.panels) - 1}" step="1" value="0" '
        f'autocomplete="off" aria-valuetext="{escape(figure.panels[0].heading)}"></label>\n'
    )
