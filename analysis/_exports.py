"""Figures as vector files, their data as CSV, and tables for LaTeX: what a paper takes from a report."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sweepengine.analysis._chart import FORMATS, Chart
from sweepengine.analysis._chart_parts import PADDING, configuration, load_vl_convert
from sweepengine.analysis._errors import FigureFormatError
from sweepengine.analysis._figures import build_figures
from sweepengine.analysis._latex import latex
from sweepengine.analysis._tables import claims_table, fits_table, glance_table
from sweepengine.analysis._tidy import rows_of_runs
from sweepengine.analysis._writing import write_report_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from sweepengine.analysis._figure import FigureSource

_CALLED: Final = {
    "seed": "runs",
    "seeds": "means",
    "expected": "expected",
    "line": "fits",
    "rank": "points",
    "snapshot": "paths",
}
"""Column by which the data of a layer are known → what files call them."""
_OWN: Final = frozenset({"autosize", "config"})


def write_exports(
    source: FigureSource,
    folder: str | os.PathLike[str],
    *,
    figures: Sequence[str] = (),
    data: bool = False,
    tables: bool = False,
    width: int = 360,
    font: str = "",
    font_size: int = 12,
) -> list[Path]:
    """Write the parts of a report that a paper takes.

    Parameters
    ----------
    source
        What the report is drawn from; see :func:`sweepengine.analysis.figure_source`.
    folder
        Where to write: `figures/KEY.pdf`, `data/KEY.csv` and `data/runs.csv`, `tables.tex`.
    figures
        Formats of the figures, of `pdf`, `svg` and `png`; none are written where it is empty.
    data
        Whether to write the data of every figure, and of every finished run, as CSV.
    tables
        Whether to write the tables of exponents, claims and fits for LaTeX.
    width
        Width of a panel in pixels, which are 1/72 inch in a PDF.
    font
        Family of the fonts, such as `Latin Modern Roman`; that of the report where empty. It must be installed.
    font_size
        Size of labels in points; titles of axes are one point larger.

    Returns
    -------
    list of pathlib.Path
        The files, in the order of the report.

    Raises
    ------
    FigureFormatError
        A format is not known; nothing is written.
    MissingExtraError
        The extra `report` is not installed; nothing is written.
    ReportWriteError
        A file cannot be written.
    """
    for each in figures:
        if each not in FORMATS:
            raise FigureFormatError(f"Found the format {each!r}; figures are written as {', '.join(FORMATS)}.")
    load_vl_convert()
    home, written = Path(folder), []
    for name, spec in _panels(source):
        chart = Chart(_for_print(spec, width, font, font_size))
        written += [chart.save(home / "figures" / f"{name}.{each}") for each in figures]
        for part, rows in _data(spec) if data else ():
            written.append(_write(home / "data" / f"{name}{part}.csv", _csv(rows)))
    if data:
        written.append(_write(home / "data" / "runs.csv", rows_of_runs(source.table).to_csv(index=False)))
    if tables:
        parts = (glance_table(source.summary), claims_table(source.summary), fits_table(source.summary))
        written.append(_write(home / "tables.tex", latex(parts)))
    return written


def _panels(source: FigureSource) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and specification of every panel; panels of one figure are numbered from 1."""
    for figure in build_figures(source):
        for number, panel in enumerate(figure.panels, start=1):
            name = figure.key.removeprefix("fig-")
            yield name if len(figure.panels) == 1 else f"{name}-{number}", panel.spec


def _for_print(spec: dict[str, Any], width: int, font: str, font_size: int) -> dict[str, Any]:
    """A panel of a fixed width on white, with fonts of its own."""
    config = configuration()
    sizes = {"labelFontSize": font_size, "titleFontSize": font_size + 1}
    config |= {
        "axis": config.get("axis", {}) | sizes,
        "legend": config.get("legend", {}) | sizes,
        "background": "white",
        "padding": PADDING,
    }
    if font:
        config["font"] = font
    return {key: value for key, value in spec.items() if key not in _OWN} | {"width": width, "config": config}


def _data(spec: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The data of a panel: suffix of the file's name → rows. Layers that draw nothing have none."""
    found: dict[str, list[dict[str, Any]]] = dict(spec.get("datasets", {}))
    for layer in (spec, *spec.get("layer", ())):
        rows = layer.get("data", {}).get("values") if isinstance(layer.get("data"), dict) else None
        if rows and rows not in found.values():
            called = next((name for column, name in _CALLED.items() if column in rows[0]), "data")
            found[called if called not in found else f"{called}{len(found)}"] = rows
    kept = {name: rows for name, rows in found.items() if rows}
    for name, rows in kept.items():
        yield "" if len(kept) == 1 else f"-{name}", rows


def _csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _write(path: Path, content: str) -> Path:
    write_report_file(path, content.encode("utf-8"))
    return path
