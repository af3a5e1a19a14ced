"""The layout of a block of runs: its variables, and the size and names of every dim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.errors import SpecError
from sweepengine.observe import observables_of, parameter_count, parameter_shapes, variables_of
from sweepengine.store import make_block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sweepengine.data import Dataset
    from sweepengine.spec import AnyRun, Run
    from sweepengine.store import Block


def network_block(runs: Sequence[Run], data: Dataset, layers: tuple[str, ...], sizes: Mapping[str, int]) -> Block:
    """The block of runs of networks that share architecture, width, data and schedule.

    Parameters
    ----------
    runs : sequence of Run
    data : Dataset
    layers : tuple of str
        Names along the dim ``layer``.
    sizes : mapping
        Sizes of the dims that only networks of this form have.
    """
    first = runs[0]
    n, k = len(data.y_train), data.outputs
    extents = {"i": n, "j": n, "test": len(data.y_test), "output": k, "output_other": k, "mode": n * k}
    extents |= {"layer": len(layers), **sizes}
    variables = variables_of(first, k)
    used = {"layer"}.union(*(variable.dims for variable in variables))
    labels = dict.fromkeys(sorted({"layer", "layer_other"} & used), layers)
    added, names = own_dims(first, extents)
    return make_block(runs, variables, extents | added, labels | names)


def network_dims(run: Run, data: Dataset) -> tuple[tuple[str, ...], dict[str, int]]:
    """Names of the layers, and the sizes of the dims that only a network of layers has."""
    architecture, depth = run.architecture, run.architecture.depth
    shapes = parameter_shapes(
        (data.x_train.shape[1], *architecture.widths(run.width)),
        data.outputs,
        biases=architecture.sigma_b > 0,
        output_bias=architecture.output_bias,
    )
    sizes = {
        "layer_other": depth + 1,
        "hidden": depth,
        "feature_layer": depth + 1,
        "parameter": parameter_count(shapes),
    }
    return tuple(f"W{layer}" for layer in range(depth + 1)), sizes


def own_dims(run: AnyRun, extents: Mapping[str, int]) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:
    """Sizes of the dims that a run's observables add to those of the sweep, and the names along such dims.

    Parameters
    ----------
    run : Run or ParticleRun
    extents : mapping
        Sizes of the dims of the sweep.

    Returns
    -------
    sizes, labels : dict
        Dim → size; dim → names, for the dims with names.

    Raises
    ------
    SpecError
        Two observables give one dim different sizes, or a dim has no size.
    """
    sizes: dict[str, int] = dict(extents)
    labels: dict[str, tuple[str, ...]] = {}
    for key, observable in zip(run.observables, observables_of(run.kind, run.observables), strict=True):
        for dim, size in observable.extents.items():
            if sizes.setdefault(dim, size) != size:
                raise SpecError(f"observable {key}: gives dim {dim!r} size {size}; here it has {sizes[dim]} already")
        labels |= {dim: names for dim, names in observable.sizes if not isinstance(names, int)}
        unknown = [dim for dim in observable.variable.dims[2:] if dim not in sizes]
        if unknown:
            raise SpecError(
                f"observable {key}: its dim {unknown[0]!r} has no size; give one with sizes={{{unknown[0]!r}: …}}"
                + (f", or use dims of the sweep: {', '.join(extents)}" if extents else "")
            )
    return {dim: size for dim, size in sizes.items() if dim not in extents}, labels
