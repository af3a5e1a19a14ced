"""What a task works with: its store, and the data that its runs read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from sweepengine.execute._data import Data
from sweepengine.execute._device import pick_device
from sweepengine.observe import given_ids
from sweepengine.store import open_address, read_data, read_given

if TYPE_CHECKING:
    from zarr.abc.store import Store

    from sweepengine.execute._task import PackTask
    from sweepengine.spec import AnyRun


def opened(task: PackTask) -> tuple[Store, Data]:
    """Install the users' code of a task, open its store, and load the data of its runs on its device."""
    task.code.install()
    store = open_address(task.address, read_only=False, durability=task.options.durability)
    device = pick_device(task.options.device)
    return store, _load_data(store, task, next(iter(task.runs.values())), device)


def _load_data(store: Store, task: PackTask, run: AnyRun, device: torch.device) -> Data:
    """Return the data as the store holds them, so that all workers and all resumes use the same bits.

    Tasks of one sweep mostly read the same data, so a worker keeps those that it has read and compared last.
    """
    given = given_ids(run)
    # Nodes of data have the digests of the values; those of the block differ between tasks of the same data.
    said = {path: node for path, node in task.nodes.content.items() if not path.startswith("blocks/")}
    wanted = (task.address, json.dumps(said, sort_keys=True), run.data_id, run.precision, device)
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
