"""The rows of data behind the figures: plain dicts with fixed keys, so that no label from the data becomes code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sweepengine.analysis._constants import DONE
from sweepengine.analysis._legends import EXPECTED, FIT, LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._dataset import Group
    from sweepengine.analysis._judgement import ClaimResult
    from sweepengine.analysis._results import Summary
    from sweepengine.analysis._scaling_fit import ScalingFit

    Rows = list[dict[str, Any]]

MAX_RECORDS: Final = 200
"""Largest number of records in a curve over time. They are chosen evenly, so that a page stays a few megabytes."""
MAX_SEED_POINTS: Final = 4000
"""Largest number of single runs that a chart shows; more are thinned. Means and fits always use all runs."""


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """Positions of at most so many of `count` things, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, max(0, count - 1), min(count, most)).round().astype(np.intp))


@dataclass(frozen=True, slots=True)
class ScalingRows:
    """One quantity against an axis: the axis, group names with exponents, and what is drawn.

    Points of seeds, means, fitted lines and expected lines have the position along the axis under the axis' name.
    """

    axis: str
    names: list[str]
    seeds: Rows
    means: Rows
    lines: Rows
    expected: Rows


def scaling_rows(
    fits: Mapping[str, ScalingFit | None],
    tables: Sequence[xr.Dataset],
    claims: Sequence[ClaimResult],
    key: str,
    axis: str = "width",
) -> ScalingRows:
    """Collect the rows of a fitted quantity against an axis, for all groups.

    Parameters
    ----------
    fits
        Label of each group → its fit along the axis.
    tables
        A reduced table of finished runs for each group, in the order of ``fits``.
    claims
        Rows of the table of claims; those of other axes and quantities are passed over.
    key
        Key of a quantity without a dim, such as `kernel_drift`.
    axis
        The run coordinate in which the runs of a group differ, beside the seed.

    Returns
    -------
    ScalingRows
        Groups without a fit have points of seeds only.
    """
    rows = ScalingRows(axis, [], [], [], [], [])
    for (label, fit), table in zip(fits.items(), tables, strict=True):
        stated = [claim for claim in claims if claim.states_exponent(label, key, axis)]
        told = f", expected {', '.join(dict.fromkeys(each.expected_text for each in stated))}" if stated else ""
        name = f"{label}: limit {fit.exponent}{told}" if fit else f"{label}: no fit"
        rows.names.append(name)
        points = [
            {"group": name, axis: m, "seed": int(s), "value": float(q)}
            for m, s, q in zip(table[axis].values.tolist(), table["seed"].values, table[key].values, strict=True)
            if math.isfinite(q) and q > 0
        ]
        rows.seeds.extend(points[:: max(1, math.ceil(len(points) * len(tables) / MAX_SEED_POINTS))])
        if fit is None:
            continue
        rows.means.extend(
            {"group": name, axis: m, "value": q, "seeds": len(fit.seeds)}
            for m, q in zip(fit.widths, fit.means, strict=True)
        )
        edge = fit.kept[0]
        for line, widths in ((FIT, fit.kept), (LEFT_OUT, (*fit.dropped, edge) if fit.dropped else ())):
            ends = np.array([widths[0], widths[-1]] if widths else [], dtype=np.float64)
            rows.lines.extend(
                {"group": name, "line": line, axis: float(m), "value": float(q)}
                for m, q in zip(ends, fit.predict(ends), strict=True)
            )
        middle = math.exp(float(np.mean(np.log(fit.kept))))
        anchor = float(fit.predict(np.array([middle]))[0])
        rows.expected.extend(
            {
                "group": name,
                "line": EXPECTED,
                "expected": claim.expected_text,
                axis: m,
                "value": anchor * (m / middle) ** claim.expected,
            }
            for claim in stated
            for m in (fit.widths[0], fit.widths[-1])
        )
    return rows


def accuracy_rows(summary: Summary, tables: Sequence[xr.Dataset]) -> tuple[Rows, Rows]:
    """Collect final test accuracy against width: a row for each run, and mean ± standard error for each width."""
    seeds: Rows = []
    means: Rows = []
    for group, table in zip(summary.groups, tables, strict=True):
        width, accuracy = table["width"].values, table["accuracy_test"].values
        seeds += [
            {"group": group.label, "width": int(m), "seed": int(s), "value": float(a)}
            for m, s, a in zip(width, table["seed"].values, accuracy, strict=True)
            if math.isfinite(a)
        ]
        for m in np.unique(width):
            at = accuracy[width == m]
            if not np.all(np.isfinite(at)):
                continue
            se = float(np.std(at, ddof=1) / math.sqrt(at.size)) if at.size > 1 else 0.0
            mean = float(at.mean())
            means.append({"group": group.label, "width": int(m), "value": mean, "low": mean - se, "high": mean + se})
    return seeds, means


def time_rows(ds: xr.Dataset, groups: Sequence[Group], names: Sequence[str]) -> dict[str, dict[str, Rows]]:
    """Average curves over training time by width, for each group, in one Dask computation.

    Parameters
    ----------
    ds
        The sweep; only finished runs are read, and at most ``MAX_RECORDS`` of their records.
    groups
        Groups of the sweep.
    names
        Names of variables with dims (run, record).

    Returns
    -------
    dict
        Name → group label → rows (width, time, value, error) with the mean over seeds and its standard error (0 for one
        seed) at t > 0, because a log axis has no t = 0. Widths whose runs were recorded at different times are left
        out.
    """
    import xarray as xr

    small = ds[list(names)].isel(record=evenly(ds.sizes["record"], MAX_RECORDS))
    status, width = np.asarray(ds["status"].values), np.asarray(ds["width"].values)
    lazy: dict[tuple[str, str, int], xr.Variable] = {}
    spreads: dict[tuple[str, str, int], xr.Variable] = {}
    counts: dict[tuple[str, int], int] = {}
    times: dict[tuple[str, int], Any] = {}
    for group in groups:
        finished = group.runs[status[group.runs] == DONE]
        for m in np.unique(width[finished]):
            runs = finished[width[finished] == m]
            time = np.asarray(small["time"].values)
            time = time[runs] if time.ndim == 2 else time[None]
            if not np.allclose(time, time[:1], rtol=1e-9, equal_nan=True):
                continue
            times[group.label, int(m)], counts[group.label, int(m)] = time[0], runs.size
            for name in names:
                of_seeds = small[name].isel(run=runs).variable
                lazy[name, group.label, int(m)] = of_seeds.mean("run", skipna=False)
                spreads[name, group.label, int(m)] = of_seeds.std("run", ddof=min(1, runs.size - 1), skipna=False)
    computed = xr.Dataset({str(k): v for k, v in enumerate((*lazy.values(), *spreads.values()))}).compute()
    rows: dict[str, dict[str, Rows]] = {name: {g.label: [] for g in groups} for name in names}
    for k, (name, label, m) in enumerate(lazy):
        spread = computed[str(k + len(lazy))].values / math.sqrt(counts[label, m])
        rows[name][label] += [
            {"width": m, "time": float(t), "value": float(v), "error": float(error)}
            for t, v, error in zip(times[label, m], computed[str(k)].values, spread, strict=True)
            if t > 0 and math.isfinite(v)
        ]
    return rows


def limit_rows(ds: xr.Dataset, groups: Sequence[Group], name: str) -> dict[str, Rows]:
    """Group label → curve over time that infinite width predicts; empty where the sweep has no such variable."""
    if name not in ds.data_vars:
        return {}
    values, time = np.asarray(ds[name].values), np.asarray(ds["time"].values)
    rows: dict[str, Rows] = {}
    for group in groups:
        run = int(group.runs[0])
        pairs = zip(time[run] if time.ndim == 2 else time, values[run], strict=True)
        rows[group.label] = [{"time": float(t), "value": float(v)} for t, v in pairs if t > 0 and math.isfinite(v)]
    return {label: curve for label, curve in rows.items() if curve}
