"""The summary of a sweep: counts of runs, exponents, claims, accuracy or loss, warnings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sweepengine.analysis._constants import DONE
from sweepengine.analysis._curves import Curves
from sweepengine.analysis._dataset import Group, count_statuses, kind_of, split
from sweepengine.analysis._errors import InvalidObservableError, TooFewSeedsError, TooFewWidthsError
from sweepengine.analysis._fit import ScalingFit, fit_scaling
from sweepengine.analysis._judgement import ClaimResult, judge_claims
from sweepengine.analysis._observables import places, reduce_runs
from sweepengine.analysis._quantities import key_of
from sweepengine.analysis._results import GroupSummary, Level, Summary
from sweepengine.analysis._warnings import collect_warnings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._quantities import Quantity


def summarise(
    ds: xr.Dataset, *, group_by: Sequence[str] = (), table: xr.Dataset | None = None, theory: xr.Dataset | None = None
) -> Summary:
    """Summarise a sweep: exponents with 95 % intervals beside theory, accuracy or loss, counts and claims.

    Parameters
    ----------
    ds
        A sweep as `sweepengine.open_sweep` returns it. Runs that are not `done` are counted, but enter no fit.
    group_by
        Further run coordinates that are swept, beside scaling, gamma, depth, activation, alpha, step_size and method.
    table
        Result of `reduce_runs(ds)`, if it is at hand, so that it is not computed again.
    theory
        The dataset that `sweepengine.open_theory` returns for the same store, for claims that compare with a limit; not
        needed if a table is given.

    Returns
    -------
    Summary
        Where a fit is impossible (too few widths or seeds yet, a zero or NaN), the group holds the reason; this is no
        error.

    Raises
    ------
    ContractError
        The dataset lacks what the contract promises, or `group_by` names no run coordinate.
    DuplicateRunError
        Two runs of a group share width and seed.
    """
    return summarise_reduced(ds, reduce_runs(ds, theory=theory) if table is None else table, split(ds, group_by))


def summarise_reduced(ds: xr.Dataset, table: xr.Dataset, groups: tuple[Group, ...]) -> Summary:
    """Summarise a sweep whose runs `reduce_runs` has reduced and `split` has divided into groups."""
    kind = kind_of(ds)
    summaries: list[GroupSummary] = []
    claims: list[ClaimResult] = []
    for group in groups:
        summary = _summarise_group(ds, rows_of(table, ds, group), group)
        summaries.append(summary)
        claims.extend(judge_claims(kind.claims, group.label, group.setting, summary.fits, summary.failures))
    return Summary(
        title=str(ds.attrs.get("title", "")),
        store=str(ds.attrs.get("store", "")),
        counts=count_statuses(ds),
        groups=tuple(summaries),
        claims=tuple(claims),
        warnings=collect_warnings(summaries, _first_divergence(ds, groups), kind),
        kind=kind,
    )


def rows_of(table: xr.Dataset, ds: xr.Dataset, group: Group) -> xr.Dataset:
    """Select a group's finished runs from the reduced table."""
    status = np.asarray(ds["status"].values) == DONE
    position = np.cumsum(status) - 1
    return table.isel(run=position[group.runs[status[group.runs]]])


def _summarise_group(ds: xr.Dataset, rows: xr.Dataset, group: Group) -> GroupSummary:
    fits: dict[str, ScalingFit] = {}
    failures: dict[str, str] = {}
    kind = kind_of(ds)
    for q in (*kind.quantities, *kind.claimed):
        for key, column in (_columns(rows, q) if q.fitted and q.name in rows else {}).items():
            known = not (column.size and np.all(np.isnan(column)))
            if not known and q in kind.claimed:
                continue
            reason = q.why_none(ds, group.setting, column) if q.why_none else ""
            if not (reason or known):
                reason = f"{q.name} has no value in any finished run; was it among the sweep's observables?"
            fit, reason = (None, reason) if reason else _fitted(rows, q, column)
            if fit is None:
                failures[key] = reason
            else:
                fits[key] = fit
    return GroupSummary(
        label=group.label,
        axes=group.axes,
        counts=count_statuses(ds, group.runs),
        widths=tuple(int(w) for w in np.unique(ds["width"].values[group.runs])),
        seeds=tuple(int(s) for s in np.unique(ds["seed"].values[group.runs])),
        fits=fits,
        failures=failures,
        level_name=kind.level,
        level=_level(rows, kind.level),
    )


def _columns(rows: xr.Dataset, q: Quantity) -> dict[str, NDArray[np.float64]]:
    """Key → values (run,) of a quantity: one column, or one column for each place along the quantity's dim."""
    values = rows[q.name]
    dim = q.reduction.dim
    if not dim:
        return {q.name: values.values}
    if dim not in values.dims:
        return {}
    columns = {key_of(q.name, place): values.isel({dim: k}).values for k, place in enumerate(places(rows, q))}
    # A layer that networks of this depth lack is NaN in every run, because blocks of different depths are padded.
    return {key: column for key, column in columns.items() if not column.size or not np.all(np.isnan(column))}


def _fitted(rows: xr.Dataset, q: Quantity, column: NDArray[np.float64]) -> tuple[ScalingFit | None, str]:
    """The fit of a column of finished runs, or the reason why there is none."""
    width, seed = rows["width"].values, rows["seed"].values
    # A quantity that compares runs with the widest one has no value for the widest one itself.
    kept = width < width.max(initial=0) if q.against_widest else np.full(width.size, fill_value=True)
    try:
        return fit_scaling(Curves.from_runs(width[kept], seed[kept], column[kept])), ""
    except (TooFewWidthsError, TooFewSeedsError, InvalidObservableError) as error:
        widest = f"The widest, {width.max()}, is what they are compared with. " if not kept.all() else ""
        return None, f"{widest}{error}"


def _level(rows: xr.Dataset, name: str) -> Level | None:
    if not rows.sizes["run"]:
        return None
    width = int(rows["width"].values.max())
    values = rows[name].values[rows["width"].values == width]
    if np.all(np.isnan(values)):
        return None
    se = float(np.std(values, ddof=1) / math.sqrt(values.size)) if values.size > 1 else math.nan
    return Level(width, float(np.mean(values)), se, int(values.size))


def _first_divergence(ds: xr.Dataset, groups: tuple[Group, ...]) -> dict[str, int]:
    """Group label → earliest step at which a run of the group diverged; groups without a known step are absent."""
    steps = np.asarray(ds["diverged_step"].values)
    diverged = (np.asarray(ds["status"].values) == "diverged") & (steps >= 0)
    return {g.label: int(steps[g.runs][diverged[g.runs]].min()) for g in groups if diverged[g.runs].any()}
