"""How the runs of a kind of sweep are laid out: their variables, and the size and names of every dim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.observe import variables_of
from sweepengine.store import make_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.data import Dataset
    from sweepengine.spec import Run
    from sweepengine.store import Block


def network_block(runs: Sequence[Run], data: Dataset) -> Block:
    """Lay out networks of one architecture, width, data and schedule."""
    first = runs[0]
    n, k, depth = len(data.y_train), data.outputs, first.architecture.depth
    extents = {"i": n, "j": n, "test": len(data.y_test), "layer": depth + 1, "hidden": depth, "mode": n * k}
    if k > 1:
        extents |= {"output": k, "output_other": k}
    labels = {"layer": tuple(f"W{layer}" for layer in range(depth + 1))}
    return make_block(runs, variables_of(first.observables, k), extents, labels)
