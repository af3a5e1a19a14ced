"""Safe pieces of HTML; every text that comes from data is escaped here."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._format import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.analysis._table import Table

_MARKED: Final = {name: f"verdict {name}" for name in ("holds", "violated", "differs", "undecided")} | {
    "NOT CAUGHT": "twin missed"
}
"""Text of a cell → its classes."""
_IN_SCRIPT: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def escape(text: str) -> str:
    """Escape text for an element or a quoted attribute; control characters become spaces, newlines stay."""
    return html.escape("\n".join(printable(line) for line in text.split("\n")), quote=True)


def formula(text: str) -> str:
    """Escape a text of our own and set x_t, m^−1/2 and m^(γ−1) as sub- and superscripts.

    Do not use it for text from data.
    """
    raised = re.sub(r"\^\(([^()^]+)\)", r"<sup>\1</sup>", escape(text))
    raised = re.sub(r"\^(−?\w+?(?:/\w+)?)(?=_|\W|$)", r"<sup>\1</sup>", raised)
    return re.sub(r"_([^\W_²]+|[∞#])", r"<sub>\1</sub>", raised)


def script_json(value: Any) -> str:
    r"""Write strict JSON that cannot end or change the script element around it: ``<`` is ``\u003c``, and so on."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return "".join(_IN_SCRIPT.get(c, c) for c in text)


def script_digest(code: str) -> str:
    """Return the Content-Security-Policy source that allows one inline script."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() + "'"


def asset(name: str) -> str:
    """Read a file of `analysis/page/`."""
    return resources.files("sweepengine.analysis").joinpath("page", name).read_text(encoding="utf-8")


def document(title: str, main: str, scripts: Sequence[str] = ()) -> str:
    """Write a self-contained page: no network, no outside fonts, and a policy that lets only the given scripts run.

    Parameters
    ----------
    title
        Title of the window, as HTML.
    main
        HTML of the content.
    scripts
        JavaScript that runs at the end. The Content-Security-Policy allows only scripts with these digests and forbids
        every connection, so that even a mistake in escaping could not run code from a name or a spec.

    Returns
    -------
    str
        A complete document.
    """
    allowed = f"script-src {' '.join(map(script_digest, scripts))}; " if scripts else ""
    images = "data: blob:" if scripts else "data:"
    policy = (
        f"default-src 'none'; {allowed}style-src 'unsafe-inline'; img-src {images}; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="sweepengine">
<title>{title}</title>
<style>
{asset("style.css")}</style>
</head>
<body>
<main>
{main}
</main>
{"".join(f"<script>{script}</script>" + chr(10) for script in scripts)}</body>
</html>
"""


def table_html(table: Table, number: int | None = None) -> str:
    """Write a table with its caption in a box that scrolls sideways by itself.

    Parameters
    ----------
    table
        A table of plain text cells.
    number
        Number of the table in the report; None for a table without a number.

    Returns
    -------
    str
        HTML. A cell that holds a verdict also has a CSS class of that name.
    """
    prefix = f"<b>Table {number}.</b> " if number else ""
    caption = f"<figcaption>{prefix}{formula(table.caption)}</figcaption>" if table.caption else ""
    head = "".join(f'<th scope="col"{_class(k, table)}>{escape(h)}</th>' for k, h in enumerate(table.headers))
    body = "".join(
        "<tr>"
        + f'<th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{_class(k, table)}>{_cell(cell, k, table)}</td>" for k, cell in enumerate(row[1:], start=1))
        + "</tr>\n"
        for row in table.rows
    )
    empty = (
        f'<tr><td colspan="{len(table.headers)}" class="none">nothing to show yet</td></tr>' if not table.rows else ""
    )
    return (
        f'<figure class="table" id="table-{table.key}">{caption}\n<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(table.title)}"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>{body}{empty}</tbody>\n'
        "</table></div></figure>"
    )


def _class(column: int, table: Table) -> str:
    return ' class="n"' if column in table.numeric else ""


def _cell(text: str, column: int, table: Table) -> str:
    if text in _MARKED:
        return f'<span class="{_MARKED[text]}">{text}</span>'
    written = formula(text) if column in table.formula else escape(text)
    return written.replace("; ", ";<br>") if column in table.numeric else written
