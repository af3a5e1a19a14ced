"""Observables of users: registered by name, recorded beside those of this package (docs/plugins.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sweepengine.errors import SpecError
from sweepengine.observe._variable import Variable
from sweepengine.observe._variables import VARIABLES
from sweepengine.plugins import find, register

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from sweepengine.observe._moment import Moment

    Measure = Callable[[Moment, Moment], Tensor]

_M = TypeVar("_M", bound="Measure")

TAKEN = frozenset(
    {"run", "record", "step", "time", "status", "records_done", "diverged_step", "targets_train", "targets_test"}
    | {"id", "block", "position", "scaling", "gamma", "alpha", "width", "depth", "activation", "model", "seed", "limit"}
    | {"step_size", "method", "peak_memory"}.union(*(variable.dims for variable in VARIABLES.values()))
)
"""Names of dims and coordinates, which no observable may have."""


@dataclass(frozen=True)
class UserObservable:
    """A registered observable.

    Attributes
    ----------
    variable : Variable
        What a store says of it.
    sizes : tuple of (str, int)
        Dims of its own.
    function : callable
        From the moment and that at t = 0, both of one network, to a tensor of the variable's dims without run, record.
    """

    variable: Variable
    sizes: tuple[tuple[str, int], ...]
    function: Measure


def register_observable(
    *,
    name: str,
    long_name: str,
    dims: Sequence[str] = (),
    sizes: Mapping[str, int] | None = None,
    units: str = "1",
    source: str = "user code",
    version: str = "1",
) -> Callable[[_M], _M]:
    """Let specs name an observable of one's own under ``observables``.

    Parameters
    ----------
    name : str
        Small letters, digits and ``_``; not one that this package uses.
    long_name, units, source : str
        What a store says of it; ``units`` is "1" for a number without unit.
    dims : sequence of str
        Beside run and record: dims of the sweep (``i``, ``j`` training points; ``test``; ``layer``; ``hidden``; ``mode``;
        ``output``, which for a single output neither outputs nor observables have) or those of ``sizes``. A scalar has
        none.
    sizes : mapping, optional
        Dim → size, for dims that the sweep does not have.
    version : str
        Part of every run's id. Change it whenever the numbers change; other code under the same version is refused.

    Returns
    -------
    decorator
        For ``function(now, start) -> Tensor``: two :class:`sweepengine.observe.measure.Moment` of one network, now and at
        t = 0, to a floating-point tensor of shape ``dims``. It must draw no random numbers and change nothing.

    Raises
    ------
    SpecError
        The name or a dim cannot be one, or this name and version stands for other code.
    """
    if name in VARIABLES or name in TAKEN:
        raise SpecError(f"observable: the name {name!r} is one of sweepengine's own; choose another")
    own = dict(sizes or {})
    for dim, size in own.items():
        if dim in TAKEN:
            raise SpecError(f"observable {name}: the dim {dim!r} is one of sweepengine's own; leave it out of sizes")
        if dim not in dims:
            raise SpecError(f"observable {name}: sizes names {dim!r}, which is not among its dims {list(dims)}")
        if not isinstance(size, int) or size < 1:
            raise SpecError(f"observable {name}: the dim {dim!r} has size {size!r}; expected a whole number from 1 on")
    if len(set(dims)) < len(dims) or {"run", "record"} & set(dims):
        raise SpecError(f"observable {name}: found dims {list(dims)}; each once, and without run and record")
    variable = Variable(name, ("run", "record", *dims), long_name, units, source)

    def decorate(function: _M) -> _M:
        content = UserObservable(variable, tuple(sorted(own.items())), function)
        register("observable", name, version, content, function)
        return function

    return decorate


def user_observable(key: str) -> UserObservable:
    """The observable of a ``name@version``. Raises :class:`SpecError` if there is none."""
    found: UserObservable = find("observable", key).content
    return found
