"""From the reduced table of a sweep to the samples of its groups, with their fits, and to the verdicts on claims."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sweepengine.analysis._constants import DONE
from sweepengine.analysis._curves import Curves
from sweepengine.analysis._dataset import Group, kind_of, split
from sweepengine.analysis._errors import InvalidObservableError, TooFewSeedsError, TooFewWidthsError
from sweepengine.analysis._expectations import Sample
from sweepengine.analysis._fit import fit_scaling
from sweepengine.analysis._judgement import ClaimResult, judge_group
from sweepengine.analysis._observables import places
from sweepengine.analysis._quantities import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from sweepengine.analysis._expectations import Expectation
    from sweepengine.analysis._quantities import Quantity
    from sweepengine.analysis._scaling_fit import ScalingFit


def rows_of(table: xr.Dataset, ds: xr.Dataset, group: Group) -> xr.Dataset:
    """Select a group's finished runs from the reduced table."""
    status = np.asarray(ds["status"].values) == DONE
    position = np.cumsum(status) - 1
    return table.isel(run=position[group.runs[status[group.runs]]])


def samples_of(
    ds: xr.Dataset, rows: xr.Dataset, group: Group, quantities: Iterable[Quantity], axis: str = "width"
) -> dict[str, Sample]:
    """The samples of quantities in one group of runs, which differ in an axis and the seed alone.

    Parameters
    ----------
    ds, rows, group
        The sweep, the reduced table of the group's finished runs, and the group.
    quantities
        Those that are not the kind's own, but a claim's, are left out where no run has a value.
    axis
        The run coordinate along which quantities are fitted.

    Returns
    -------
    dict
        Key (`movement_op/W0`) → sample.
    """
    own = kind_of(ds).quantities
    samples = {}
    for q in quantities:
        for key, column in (_columns(rows, q) if q.name in rows else {}).items():
            known = not (column.size and np.all(np.isnan(column)))
            if known or q in own:
                fit, why = _fit(ds, rows, group, q, column, axis) if q.fitted else (None, f"{q.name} is not fitted")
                samples[key] = Sample(rows[axis].values, rows["seed"].values, column, fit, why)
    return samples


def judge_sweep(
    ds: xr.Dataset,
    table: xr.Dataset,
    expected: Sequence[tuple[str, Expectation]],
    group_by: Sequence[str] = (),
) -> tuple[ClaimResult, ...]:
    """Judge expectations on all groups of a sweep, each along its own axis.

    Parameters
    ----------
    ds, table
        The sweep and the result of `reduce_runs`.
    expected
        Pairs of the id of a claim and one of its expectations.
    group_by
        As for `summarise`.
    """
    results: list[ClaimResult] = []
    for axis in dict.fromkeys(expectation.axis for _, expectation in expected):
        along = [pair for pair in expected if pair[1].axis == axis]
        quantities = tuple(dict.fromkeys(expectation.quantity for _, expectation in along))
        for group in split(ds, group_by, axis):
            rows = rows_of(table, ds, group)
            if axis == "width" or np.unique(rows[axis].values).size > 1:  # else the axis was not swept
                samples = samples_of(ds, rows, group, quantities, axis)
                results.extend(judge_group(along, group.label, group.setting, samples))
    return tuple(results)


def curves_of(
    q: Quantity, size: NDArray[Any], seed: NDArray[Any], values: NDArray[np.float64], axis: str = "width"
) -> Curves:
    """The balanced curves of a quantity along an axis, without the widest where a quantity compares runs with that one.

    Raises
    ------
    AnalysisError
        As for :meth:`Curves.from_runs`.
    """
    kept = size < size.max(initial=0) if q.against_widest else np.full(size.size, fill_value=True)
    return Curves.from_runs(size[kept], seed[kept], values[kept], axis)


def _columns(rows: xr.Dataset, q: Quantity) -> dict[str, NDArray[np.float64]]:
    """Key → values of a quantity: one column, or one column for each place along the quantity's dim.

    A column has the shape (run,), or (run, component) where the quantity is a vector.
    """
    values = rows[q.name]
    dim = q.reduction.dim
    if not dim:
        return {q.name: values.values}
    if dim not in values.dims:
        return {}
    columns = {key_of(q.name, place): values.isel({dim: k}).values for k, place in enumerate(places(rows, q))}
    # A layer that networks of this depth lack is NaN in every run, because blocks of different depths are padded.
    return {key: column for key, column in columns.items() if not column.size or not np.all(np.isnan(column))}


def _fit(
    ds: xr.Dataset, rows: xr.Dataset, group: Group, q: Quantity, column: NDArray[np.float64], axis: str
) -> tuple[ScalingFit | None, str]:
    """The fit of a column of finished runs, or the reason why there is none."""
    reason = q.why_none(ds, group.setting, column) if q.why_none else ""
    if reason:
        return None, reason
    if column.size and np.all(np.isnan(column)):
        return None, f"{q.name} has no value in any finished run; was it among the sweep's observables?"
    size, seed = rows[axis].values, rows["seed"].values
    try:
        return fit_scaling(curves_of(q, size, seed, column, axis), average=q.average), ""
    except (TooFewWidthsError, TooFewSeedsError, InvalidObservableError) as error:
        widest = f"The widest, {size.max()}, is what they are compared with. " if q.against_widest and size.size else ""
        return None, f"{widest}{error}"
