"""The data of a task, as the store holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from sweepengine.execute._data import Data
from sweepengine.observe import given_ids
from sweepengine.store import read_data, read_given

if TYPE_CHECKING:
    from zarr.abc.store import Store

    from sweepengine.execute._task import PackTask
    from sweepengine.spec import AnyRun


def load_data(store: Store, task: PackTask, run: AnyRun, device: torch.device) -> Data:
    """Return the data as the store holds them, so that all workers and all resumes use the same bits.

    Tasks of one sweep mostly read the same data, so a worker keeps those that it has read and compared last.
    """
    given = given_ids(run)
    wanted = (task.address, run.data_id, tuple(given.items()), run.precision, device)
    if wanted not in _LAST_DATA:
        _LAST_DATA.clear()  # first, so that two sets of data are never held
        arrays = read_data(store, task.nodes, run.data_id)
        dtype = getattr(torch, run.precision)
        _LAST_DATA[wanted] = Data(
            **{name: torch.from_numpy(values).to(device, dtype) for name, values in arrays.items()},
            given={kind: read_given(store, task.nodes, kind, content_id) for kind, content_id in given.items()},
        )
    return _LAST_DATA[wanted]


_LAST_DATA: dict[Any, Data] = {}
