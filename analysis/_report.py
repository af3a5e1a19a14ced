"""Writing the report and the README's figure."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweepengine.analysis._constants import (
    PROVENANCE_ATTRIBUTES,
    REPORT_HTML,
    REPORT_JSON,
    REPORT_MARKDOWN,
    REPORT_SCHEMA,
)
from sweepengine.analysis._dataset import check_contract, split
from sweepengine.analysis._figure import FigureSource
from sweepengine.analysis._levels import LEVEL_RULES
from sweepengine.analysis._observables import places, reduce_runs
from sweepengine.analysis._results import strict
from sweepengine.analysis._summary import summarise_reduced
from sweepengine.analysis._verdict import RULES
from sweepengine.analysis._writing import write_report_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where a report was written."""

    html: Path
    json: Path
    markdown: Path


def write_report(
    ds_or_url: xr.Dataset | str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    group_by: Sequence[str] = (),
    table: xr.Dataset | None = None,
    theory: xr.Dataset | None = None,
) -> ReportPaths:
    """Write `report.html`, `report.json` and `report.md` into a directory, which is made if it is missing.

    The page needs no network and works from file://; the JSON is strict and unrounded. The same sweep gives the same
    bytes. Each file is replaced whole: a reader never sees half of one.

    Parameters
    ----------
    ds_or_url
        A sweep as `sweepengine.open_sweep` returns it, or the store's path or URL.
    directory
        Where to write.
    group_by, table, theory
        As for `summarise`. If the store is named by its URL, its theory is opened with it.

    Returns
    -------
    ReportPaths
        The three files.

    Raises
    ------
    MissingExtraError
        The extra `report` (altair, vl-convert) is not installed; nothing is written.
    ContractError, DuplicateRunError
        The dataset is not a sweep that can be summarised; nothing is written.
    ReportWriteError
        The directory or a file cannot be written.
    """
    from sweepengine.analysis._chart_parts import load_altair, load_vl_convert

    load_altair(), load_vl_convert()  # so that a missing extra is reported before the sweep is read
    return write_report_of(figure_source(ds_or_url, group_by=group_by, table=table, theory=theory), directory)


def write_report_of(source: FigureSource, directory: str | os.PathLike[str]) -> ReportPaths:
    """Write the report of a sweep that :func:`figure_source` has reduced and summarised; see :func:`write_report`.

    Raises
    ------
    MissingExtraError
        The extra `report` (altair, vl-convert) is not installed; nothing is written.
    ReportWriteError
        The directory or a file cannot be written.
    """
    from sweepengine.analysis._chart_parts import load_altair, load_vl_convert
    from sweepengine.analysis._figures import build_figures
    from sweepengine.analysis._html import page
    from sweepengine.analysis._markdown import markdown

    load_altair(), load_vl_convert()
    ds, summary = source.ds, source.summary
    contents = {
        REPORT_HTML: page(summary, build_figures(source), ds.attrs),
        REPORT_JSON: json.dumps(_document(source), allow_nan=False, ensure_ascii=False, indent=1) + "\n",
        REPORT_MARKDOWN: markdown(summary, ds.attrs),
    }
    folder = Path(directory)
    for name, text in contents.items():
        write_report_file(folder / name, text.encode("utf-8"))
    return ReportPaths(folder / REPORT_HTML, folder / REPORT_JSON, folder / REPORT_MARKDOWN)


def figure_source(
    ds_or_url: xr.Dataset | str | os.PathLike[str],
    *,
    group_by: Sequence[str] = (),
    table: xr.Dataset | None = None,
    theory: xr.Dataset | None = None,
) -> FigureSource:
    """Return what the figures and tables of a report are drawn from, for `write_report_of` and `write_exports`.

    Parameters and errors are those of :func:`write_report`.
    """
    import xarray as xr

    ds, theory = _opened(ds_or_url, theory)
    table, groups = reduce_runs(ds, theory=theory) if table is None else table, split(ds, group_by)
    summary = summarise_reduced(ds, table, groups, group_by)
    return FigureSource(ds, summary, groups, table, xr.Dataset() if theory is None else theory)


def write_main_figure(
    ds_or_url: xr.Dataset | str | os.PathLike[str], path: str | os.PathLike[str], *, group_by: Sequence[str] = ()
) -> Path:
    """Write the main figure, the headline quantities against width, as a static picture.

    The headline quantities of networks are kernel drift and relative movement.

    Parameters
    ----------
    ds_or_url
        A sweep as `sweepengine.open_sweep` returns it, or the store's path or URL.
    path
        File to write, which ends in `.svg`, `.pdf` or `.png`; a PNG has twice the nominal resolution.
    group_by
        Further run coordinates that are swept; see `summarise`.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    FigureFormatError
        The name of the file ends in none of them.
    MissingExtraError, ContractError, DuplicateRunError, ReportWriteError
        As for `write_report`.
    """
    from sweepengine.analysis._chart import picture_kind
    from sweepengine.analysis._chart_parts import load_vl_convert
    from sweepengine.analysis._plots import Plots

    picture_kind(Path(path)), load_vl_convert()  # so that both are reported before the sweep is read
    return Plots(_opened(ds_or_url, None)[0]).exponents(group_by=group_by).save(path)


def _opened(
    ds_or_url: xr.Dataset | str | os.PathLike[str], theory: xr.Dataset | None
) -> tuple[xr.Dataset, xr.Dataset | None]:
    """The sweep, checked against the contract, and its theory where there is one."""
    if isinstance(ds_or_url, str | os.PathLike):
        from sweepengine import open_sweep, open_theory

        url = os.fspath(ds_or_url)
        ds_or_url, theory = open_sweep(url), open_theory(url) if theory is None else theory
    check_contract(ds_or_url)
    return ds_or_url, theory


def _document(source: FigureSource) -> dict[str, Any]:
    """The whole report as one strict JSON value; `finished_runs` holds the quantities of every finished run."""
    ds, summary, table = source.ds, source.summary, source.table
    quantities = [q for q in summary.quantities if q.name in table]
    names = [q.name for q in quantities]
    keys = [str(c) for c in table.coords if table[c].dims == ("run",)]
    columns = {name: table[name].values.tolist() for name in (*keys, *names)}
    runs = []
    for k in range(table.sizes["run"]):
        row = {name: columns[name][k] for name in (*keys, *names)}
        for q in quantities:
            if q.reduction.dim in table[q.name].dims:
                row[q.name] = dict(zip(places(table, q), row[q.name], strict=True))
        runs.append(row)
    document: dict[str, Any] = strict(
        {
            "schema": REPORT_SCHEMA,
            **summary.to_dict(),
            "verdict_rules": dict((*RULES, *LEVEL_RULES)),
            "definitions": {
                q.name: {"formula": q.symbol, "reduction": q.reduction.name, "unit": q.unit, "source": q.source}
                for q in quantities
            },
            "finished_runs": runs,
            "provenance": {k: str(ds.attrs.get(k, "")) for k in ("store", *PROVENANCE_ATTRIBUTES, "history")},
            "spec": str(ds.attrs.get("spec", "")),
        }
    )
    return document
