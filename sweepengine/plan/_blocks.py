"""How the runs of a kind of sweep are laid out: their variables, and the size and names of every dim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.errors import SpecError
from sweepengine.observe import user_observable, variables_of
from sweepengine.plan._modules import outline_of
from sweepengine.store import make_block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sweepengine.data import Dataset
    from sweepengine.spec import Run
    from sweepengine.store import Block


def network_block(runs: Sequence[Run], data: Dataset) -> Block:
    """Lay out networks of one architecture, width, data and schedule."""
    first = runs[0]
    n, depth = len(data.y_train), first.architecture.depth
    layers = tuple(f"W{layer}" for layer in range(depth + 1))
    extents = {"i": n, "j": n, "test": len(data.y_test), "hidden": depth, "mode": n}
    if first.architecture.model:
        layers = outline_of(first, data.x_train.shape[1]).parameters
        del extents["hidden"]
    extents = _with_user_dims(extents | {"layer": len(layers)}, first.observables)
    return make_block(runs, variables_of(first.observables), extents, {"layer": layers})


def _with_user_dims(extents: dict[str, int], observables: Sequence[str]) -> dict[str, int]:
    """Sizes of all dims, those that users' observables bring among them."""
    found = dict(extents)
    for key in (name for name in observables if "@" in name):
        observable = user_observable(key)
        for dim, size in observable.sizes:
            if found.setdefault(dim, size) != size:
                raise SpecError(f"observable {key}: gives dim {dim!r} size {size}; here it has {found[dim]} already")
        unknown = [dim for dim in observable.variable.dims[2:] if dim not in found]
        if unknown:
            raise SpecError(
                f"observable {key}: its dim {unknown[0]!r} has no size; give one with sizes={{{unknown[0]!r}: …}}, or use "
                f"dims of the sweep: {', '.join(extents)}"
            )
    return found
