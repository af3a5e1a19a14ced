"""The summary of a sweep: counts of runs, exponents, claims, accuracy or loss, warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.analysis._dataset import Group, count_statuses, is_measured, kind_of, split
from sweepengine.analysis._judgement import judged_together
from sweepengine.analysis._levels import mean_estimate
from sweepengine.analysis._observables import reduce_runs
from sweepengine.analysis._results import GroupSummary, Level, Summary
from sweepengine.analysis._samples import judge_sweep, rows_of, samples_of
from sweepengine.analysis._warnings import collect_warnings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr


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
    return summarise_reduced(
        ds, reduce_runs(ds, theory=theory) if table is None else table, split(ds, group_by), group_by
    )


def summarise_reduced(
    ds: xr.Dataset, table: xr.Dataset, groups: tuple[Group, ...], group_by: Sequence[str] = ()
) -> Summary:
    """Summarise a sweep whose runs `reduce_runs` has reduced and `split` has divided into groups by `group_by`."""
    kind = kind_of(ds)
    summaries = [_summarise_group(ds, rows_of(table, ds, group), group) for group in groups]
    return Summary(
        title=str(ds.attrs.get("title", "")),
        store=str(ds.attrs.get("store", "")),
        counts=count_statuses(ds),
        groups=tuple(summaries),
        claims=judged_together(judge_sweep(ds, table, kind.expected, group_by)),
        warnings=collect_warnings(summaries, _first_divergence(ds, groups), kind),
        measured=frozenset(str(name) for name, values in table.items() if is_measured(values)),
        kind=kind,
    )


def _summarise_group(ds: xr.Dataset, rows: xr.Dataset, group: Group) -> GroupSummary:
    kind = kind_of(ds)
    fitted = [q for q in (*kind.quantities, *kind.claimed) if q.fitted]
    samples = samples_of(ds, rows, group, fitted)
    return GroupSummary(
        label=group.label,
        axes=group.axes,
        counts=count_statuses(ds, group.runs),
        widths=tuple(int(w) for w in np.unique(ds["width"].values[group.runs])),
        seeds=tuple(int(s) for s in np.unique(ds["seed"].values[group.runs])),
        fits={key: sample.fit for key, sample in samples.items() if sample.fit},
        failures={key: sample.why_no_fit for key, sample in samples.items() if not sample.fit},
        level_name=kind.level,
        level=_level(rows, kind.level),
    )


def _level(rows: xr.Dataset, name: str) -> Level | None:
    if not name or not rows.sizes["run"]:
        return None
    width = int(rows["width"].values.max())
    values = rows[name].values[rows["width"].values == width]
    if np.all(np.isnan(values)):
        return None
    estimate = mean_estimate(values)
    return Level(width, estimate.value, estimate.se, int(values.size))


def _first_divergence(ds: xr.Dataset, groups: tuple[Group, ...]) -> dict[str, int]:
    """Group label → earliest step at which a run of the group diverged; groups without a known step are absent."""
    steps = np.asarray(ds["diverged_step"].values)
    diverged = (np.asarray(ds["status"].values) == "diverged") & (steps >= 0)
    return {g.label: int(steps[g.runs][diverged[g.runs]].min()) for g in groups if diverged[g.runs].any()}
