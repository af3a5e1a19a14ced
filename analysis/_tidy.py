"""One row for each finished run: its coordinates and the quantities of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.analysis._dataset import is_measured
from sweepengine.analysis._observables import reduce_runs
from sweepengine.analysis._quantities import key_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def tidy_table(ds: xr.Dataset) -> pd.DataFrame:
    """Return one row for each finished run of a sweep.

    Parameters
    ----------
    ds : xarray.Dataset
        A sweep as `sweepengine.open_sweep` returns it, or a selection of its runs.

    Returns
    -------
    pandas.DataFrame
        Coordinates of the runs, and the quantities of the report of which some run has a value; a quantity of layers
        has one column for each, ``movement_op/W0``. ``to_csv`` exports it, and ``to_parquet`` does where pyarrow is
        installed.

    Raises
    ------
    ContractError
        The dataset lacks what `open_sweep` promises.
    """
    return rows_of_runs(reduce_runs(ds))


def rows_of_runs(reduced: xr.Dataset) -> pd.DataFrame:
    """The same of what `reduce_runs` has returned."""
    import pandas as pd

    columns: dict[str, Any] = {
        str(name): values.values for name, values in reduced.coords.items() if values.dims == ("run",)
    }
    for name, values in ((str(name), values) for name, values in reduced.data_vars.items()):
        dim = next((str(each) for each in values.dims if each != "run"), "")
        labels = reduced[dim].values if dim in reduced.coords else range(values.sizes.get(dim, 0))
        parts = (
            {key_of(name, str(label)): values.isel({dim: k}) for k, label in enumerate(labels)}
            if dim
            else {name: values}
        )
        columns |= {key: part.values for key, part in parts.items() if is_measured(part)}
    return pd.DataFrame(columns)
