"""``ds.sweep``: what a sweep's Dataset can do beside what every Dataset can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.analysis._fits import fit_exponents
from sweepengine.analysis._grid import grid, swept_axes
from sweepengine.analysis._kernel_reductions import reduce_kernels
from sweepengine.analysis._over_seeds import LEVELS, over_seeds
from sweepengine.analysis._overlay import overlay, theory_of
from sweepengine.analysis._plots import Plots
from sweepengine.analysis._selections import at, select
from sweepengine.analysis._tidy import tidy_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import xarray as xr

    from sweepengine.analysis._fits import Fits
from sweepengine.analysis._over_seeds import Statistic


class SweepAccessor:
    """The methods of ``ds.sweep``, where `ds` is what `sweepengine.open_sweep` returns or a selection of it.

    Parameters
    ----------
    ds : xarray.Dataset
    """

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    @property
    def axes(self) -> tuple[str, ...]:
        """The dims of the sweep's grid; see :func:`sweepengine.analysis.swept_axes`."""
        return swept_axes(self._ds)

    @property
    def plot(self) -> Plots:
        """Charts: ``exponents``, ``curves`` and ``kernels``."""
        return Plots(self._ds)

    def grid(self) -> xr.Dataset:
        """Return a dim for each axis in place of ``run``; see :func:`sweepengine.analysis.grid`."""
        return grid(self._ds)

    def at(self, *, time: float | None = None, step: int | None = None, record: int | None = None) -> xr.Dataset:
        """Return one record of each run; see :func:`sweepengine.analysis.at`."""
        return at(self._ds, time=time, step=step, record=record)

    def select(self, **settings: Any) -> xr.Dataset:
        """Return the runs with some settings, ``select(scaling="ntk", width=[64, 128])``.

        See :func:`sweepengine.analysis.select`.
        """
        return select(self._ds, settings)

    def seeds(self, statistic: Statistic = "mean", *, levels: Sequence[float] = LEVELS, **draws: int) -> xr.Dataset:
        """Reduce over seeds to means, standard errors or quantiles; see :func:`sweepengine.analysis.over_seeds`."""
        return over_seeds(self._ds, statistic, levels=levels, **draws)

    def reduce_kernels(self, *names: str, of: str = "kernel", ridge: float = 0.0) -> xr.Dataset:
        """Reduce the recorded kernels, each chunk in one task; see :func:`sweepengine.analysis.reduce_kernels`."""
        return reduce_kernels(self._ds, *names, of=of, ridge=ridge)

    def fit(self, quantity: str | xr.DataArray, over: str = "width", **how: Any) -> Fits:
        """Fit the power of an axis in each group of runs; see :func:`sweepengine.analysis.fit_exponents`."""
        return fit_exponents(self._ds, quantity, over=over, **how)

    def theory(self) -> xr.Dataset:
        """Return what infinite width predicts for each run, under the names of what is measured.

        See :func:`sweepengine.analysis.overlay`.

        Raises
        ------
        StoreError
            The store from which the sweep was opened is not there.
        """
        return overlay(self._ds, theory_of(self._ds))

    def table(self) -> pd.DataFrame:
        """Return one row for each finished run; see :func:`sweepengine.analysis.tidy_table`."""
        return tidy_table(self._ds)
