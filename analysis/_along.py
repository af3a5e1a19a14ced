"""Quantities of a sweep measured along one axis: the groups, the samples with their fits, and what claims expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweepengine.analysis._dataset import Group, kind_of, split
from sweepengine.analysis._observables import reduce_runs
from sweepengine.analysis._overlay import theory_of
from sweepengine.analysis._samples import judge_sweep, rows_of, samples_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from sweepengine.analysis._expectations import Sample
    from sweepengine.analysis._judgement import ClaimResult
    from sweepengine.analysis._quantities import Quantity


@dataclass(frozen=True)
class Along:
    """What a sweep has measured along an axis.

    Attributes
    ----------
    groups
        Groups of runs that differ in the axis and the seed alone.
    table
        The reduced table of all finished runs; it lacks quantities whose variables the sweep has not recorded.
    tables, samples
        The rows of each group, and its samples by the keys of quantities.
    claims
        What claims expect of the quantities along the axis.
    """

    groups: tuple[Group, ...]
    table: xr.Dataset
    tables: tuple[xr.Dataset, ...]
    samples: tuple[dict[str, Sample], ...]
    claims: tuple[ClaimResult, ...]


def along(
    ds: xr.Dataset,
    wanted: Sequence[Quantity],
    axis: str,
    group_by: Sequence[str] = (),
    *,
    theory: xr.Dataset | None = None,
    claims: bool = False,
) -> Along:
    """Reduce and fit some quantities of a sweep along an axis, and nothing else.

    Parameters
    ----------
    ds, wanted, axis, group_by
        The sweep, the quantities, the run coordinate along which they are fitted, and further ones that tell groups
        apart.
    theory
        What `sweepengine.open_theory` returns, for quantities that are compared with the limit; opened where not given.
    claims
        Whether to find what claims expect of the quantities.

    Raises
    ------
    ContractError
        The dataset lacks what `open_sweep` promises, or a name is that of no coordinate on run.
    """
    if theory is None and any(q.reduction.theory for q in wanted):
        theory = theory_of(ds)
    groups = split(ds, group_by, axis)
    table = reduce_runs(ds, theory=theory, only=wanted)
    tables = tuple(rows_of(table, ds, group) for group in groups)
    samples = tuple(samples_of(ds, rows, group, wanted, axis) for group, rows in zip(groups, tables, strict=True))
    expected = [
        (name, each) for name, each in kind_of(ds).expected if claims and each.axis == axis and each.quantity in wanted
    ]
    return Along(groups, table, tables, samples, judge_sweep(ds, table, expected, group_by))
