"""Users' observables: declared like those of this package, and known by name and version (docs/plugins.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sweepengine.errors import SpecError
from sweepengine.observe._catalogue import declared
from sweepengine.observe._observable import observable
from sweepengine.observe._record_cost import FREE
from sweepengine.observe._variable import OUTPUT_DIMS
from sweepengine.plugins import register
from sweepengine.spec import kind_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sweepengine.observe._observable import Measure
    from sweepengine.observe._record_cost import Ingredient

_M = TypeVar("_M", bound="Measure")
_COORDINATES = frozenset(
    {
        "run",
        "record",
        "feature",
        "step",
        "time",
        "status",
        "records_done",
        "diverged_step",
        "targets_train",
        "targets_test",
        "inputs_train",
        "inputs_test",
    }
    | {"id", "block", "position", "scaling", "gamma", "alpha", "width", "depth", "activation", "model", "seed", "limit"}
    | {"step_size", "method", "peak_memory"}
)
_OF_KINDS = {
    "particles": frozenset(
        {"temperature", "snapshot_step", "snapshot_time", "reference", "grid_points", "reference_points"}
    )
}


def taken(kind: str) -> frozenset[str]:
    """Names of dims and coordinates of a kind of sweep, which no observable may have."""
    dims = (each.variable.dims for each in declared(kind).values())
    return _COORDINATES.union(_OF_KINDS.get(kind, ()), *dims)


def register_observable(
    *,
    name: str,
    long_name: str,
    dims: Sequence[str] = (),
    sizes: Mapping[str, int] | None = None,
    units: str = "1",
    source: str = "user code",
    version: str = "1",
    kind: str = "networks",
    cost: Sequence[Ingredient] = FREE,
) -> Callable[[_M], _M]:
    """Let specs name an observable of one's own under ``observables``.

    Parameters
    ----------
    name : str
        Small letters, digits and ``_``; not one that this package uses.
    long_name, units, source : str
        Its description in a store; ``units`` is "1" for a number without unit.
    dims : sequence of str
        Dims beside run and record; a scalar has none. They are dims of ``sizes`` or dims of the sweep. Networks have
        ``i`` and ``j`` (training points), ``test``, ``layer``, ``hidden``, ``mode``, and ``output``, which is left out
        for a single output. Particles have ``i``, ``j``, ``test``, ``coord``, ``term`` and ``particle``; computations
        have none.
    sizes : mapping, optional
        Dim → size, for dims that the sweep does not have.
    version : str
        Part of every run's id. Change it whenever the numbers change; other code under the same version is refused.
    kind : str
        The kind of sweep whose runs have the observable: ``networks``, ``particles`` or ``computation``.
    cost : sequence of Ingredient, optional
        Ingredients that the plan counts. Without them the plan takes the observable as free.

    Returns
    -------
    decorator
        For ``function(now, start) -> Tensor``, where ``now`` and ``start`` are the moments now and at t = 0: two
        :class:`sweepengine.observe.measure.Moment` of one network, or two
        :class:`sweepengine.observe.measure.CloudMoment`; of a computation one :class:`sweepengine.observe.Case`, twice.
        The tensor has a floating-point dtype and the shape of ``dims``. The function must draw no random numbers, but
        those of :meth:`Case.generator`, and change nothing.

    Raises
    ------
    SpecError
        The kind is unknown, the name or a dim is not allowed, or this name and version stand for other code.
    """
    if kind not in kind_names():
        raise SpecError(f"observable {name}: found the kind {kind!r}; expected one of {', '.join(kind_names())}")
    reserved, own = taken(kind), dict(sizes or {})
    if name in declared(kind) or name in reserved:
        raise SpecError(f"observable: the name {name!r} is one of sweepengine's own; choose another")
    for dim, size in own.items():
        if dim in reserved:
            raise SpecError(f"observable {name}: the dim {dim!r} is one of sweepengine's own; leave it out of sizes")
        if dim not in dims:
            raise SpecError(f"observable {name}: sizes names {dim!r}, which is not among its dims {list(dims)}")
        if not isinstance(size, int) or size < 1:
            raise SpecError(f"observable {name}: the dim {dim!r} has size {size!r}; expected a whole number from 1 on")
    for dim in {*dims} & {*OUTPUT_DIMS} - reserved:
        raise SpecError(f"observable {name}: the dim {dim!r} is one of networks alone; give it another name")
    if len(set(dims)) < len(dims) or {"run", "record"} & set(dims):
        raise SpecError(f"observable {name}: found dims {list(dims)}; each once, and without run and record")

    def decorate(function: _M) -> _M:
        entry = observable(
            name, dims, long_name, source, kind=kind, measure=function, cost=cost, units=units, sizes={**own}
        )
        register("observable", name, version, entry, function)
        return function

    return decorate
