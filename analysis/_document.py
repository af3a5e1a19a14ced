"""What the pages have in common: one self-contained document whose policy lets only our scripts run, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.analysis._chart_parts import load_vl_convert, vega_lite_version
from sweepengine.analysis._markup import asset, escape, formula, script_digest, script_json

if TYPE_CHECKING:
    from sweepengine.analysis._figure import Figure

NO_SCRIPT = "<noscript><p>The figures need JavaScript; the tables hold the same numbers.</p></noscript>"


def document(title: str, body: str) -> str:
    """Write a page as one HTML document.

    Parameters
    ----------
    title
        Title of the window; it is escaped here.
    body
        HTML of the page, in which every text is escaped.

    Returns
    -------
    str
        A complete document. Its Content-Security-Policy forbids every connection, and allows only the two inline
        scripts with the digests that it lists, so that even a mistake in escaping could not run code from a name or a
        spec.

    Raises
    ------
    MissingExtraError
        The extra `report` is not installed.
    """
    library = load_vl_convert().javascript_bundle(vl_version=vega_lite_version())
    embed = asset("embed.js")
    policy = (
        f"default-src 'none'; script-src {script_digest(library)} {script_digest(embed)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="sweepengine">
<title>{escape(title)}</title>
<style>
{asset("style.css")}</style>
</head>
<body>
<main>
{body}
</main>
<script>{library}</script>
<script>{embed}</script>
</body>
</html>
"""


def section(key: str, title: str, content: str) -> str:
    """Write a section with its heading; the texts are of our own or escaped."""
    return f'<section id="{key}">\n<h2>{title}</h2>\n{content}\n</section>'


def details(title: str, content: str) -> str:
    """Write a part that opens at a click; the texts are of our own or escaped."""
    return f"<details><summary>{title}</summary>\n{content}\n</details>"


def figure_html(figure: Figure, number: int) -> str:
    """Write a figure with its number, its caption, and the data of its charts beside their places."""
    panels = []
    for k, panel in enumerate(figure.panels):
        heading = f"<h4>{escape(panel.heading)}</h4>" if panel.heading else ""
        data = f"{figure.key}-{k}"
        panels.append(
            f'<div class="panel">{heading}<div class="chart" data-chart="{data}" role="group" '
            f'aria-label="{escape(panel.alt)}"></div>\n'
            f'<script type="application/json" id="{data}">{script_json(panel.spec)}</script></div>'
        )
    caption = " ".join(text for text in (formula(figure.formula), escape(figure.caption)) if text)
    many = " many" if len(panels) > 1 else ""
    return (
        f'<figure class="plot" id="{figure.key}"><h3>{escape(figure.title[:1].upper() + figure.title[1:])}</h3>\n'
        f'<div class="panels{many}">{"".join(panels)}</div>\n'
        f"<figcaption><b>Figure {number}.</b> {caption}</figcaption></figure>"
    )
