"""How the runs of a kind of sweep are laid out: their variables, and the size and names of every dim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.observe import parameter_count, parameter_shapes, variables_of
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
    layers = tuple(f"W{layer}" for layer in range(depth + 1))
    shapes = parameter_shapes(
        (data.x_train.shape[1], *first.architecture.widths(first.width)),
        k,
        biases=first.architecture.sigma_b > 0,
        output_bias=first.architecture.output_bias,
    )
    extents = {
        "i": n,
        "j": n,
        "test": len(data.y_test),
        "output": k,
        "output_other": k,
        "layer": depth + 1,
        "layer_other": depth + 1,
        "hidden": depth,
        "feature_layer": depth + 1,
        "mode": n * k,
        "parameter": parameter_count(shapes),
    }
    variables = variables_of(first.observables, k)
    used = {"layer"}.union(*(variable.dims for variable in variables))
    labels = dict.fromkeys(sorted({"layer", "layer_other"} & used), layers)
    return make_block(runs, variables, extents, labels)
