"""The one record of an observable, of this package or of a user. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from sweepengine.observe._record_cost import Ingredient
from sweepengine.observe._variable import Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sweepengine.observe._conditions import Condition

    Measure = Callable[[Any, Any], Any]
    """From the moment and that at t = 0 to the value, of the variable's dims without run and record."""


@dataclass(frozen=True)
class Observable:
    """What can be measured at a record.

    Attributes
    ----------
    variable : Variable
        What a store says of it.
    kind : str
        The kind of sweep that has it.
    measure : callable or str
        The function that measures it, or ``module:name`` of one that is imported when it is needed.
    cost : tuple of Ingredient
    by_default : bool
        Whether it is recorded where a spec names nothing, if its conditions hold.
    defined_for : tuple of Condition
        What a sweep must have.
    sizes : tuple of (str, int or tuple of str)
        Dims of its own: the size of each, or the names along it.
    fits : callable, optional
        Called with the widths of a sweep, the coordinates of its particles and the number of the reference's; raises
        :class:`SpecError` where it cannot be measured.
    """

    variable: Variable
    kind: str
    measure: str | Measure
    cost: tuple[Ingredient, ...]
    by_default: bool = False
    defined_for: tuple[Condition, ...] = ()
    sizes: tuple[tuple[str, int | tuple[str, ...]], ...] = ()
    fits: Callable[[Sequence[int], int, int], None] | None = None

    @property
    def name(self) -> str:
        """The variable's."""
        return self.variable.name

    @cached_property
    def function(self) -> Measure:
        """The function that measures it."""
        found: Measure = resolve_name(self.measure) if isinstance(self.measure, str) else self.measure
        return found

    @property
    def extents(self) -> dict[str, int]:
        """Sizes of the dims of its own."""
        return {dim: size if isinstance(size, int) else len(size) for dim, size in self.sizes}

    def identity(self) -> dict[str, object]:
        """What a fingerprint is taken of: all that changes numbers, as the declarations that stores are bound to had it."""
        parts = {"variable": _Declared(self.variable), "sizes": self.sizes, "function": self.function}
        return parts if self.kind == "networks" else parts | {"kind": self.kind}


class _Declared:
    """A variable as fingerprints have it: three facts were fields of it when the first were taken."""

    def __init__(self, variable: Variable) -> None:
        self._variable = variable

    def __repr__(self) -> str:
        return f"{repr(self._variable)[:-1]}, needs_mse=False, needs_closed_form=False, needs=())"


def observable(
    name: str,
    dims: Sequence[str],
    long_name: str,
    source: str,
    *,
    kind: str,
    measure: str | Measure,
    cost: Sequence[Ingredient],
    units: str = "1",
    by_default: bool = False,
    defined_for: Sequence[Condition] = (),
    sizes: Mapping[str, int | tuple[str, ...]] | None = None,
    fits: Callable[[Sequence[int], int, int], None] | None = None,
    over: str = "record",
) -> Observable:
    """Declare an observable.

    Parameters
    ----------
    name, long_name, units, source : str
        As for :class:`Variable`.
    dims : sequence of str
        Beside run and record.
    measure : callable or str
        As for :class:`Observable`; of a module alone, its function of this name.
    cost : sequence of Ingredient
        :data:`FREE` where it takes no more than sums over arrays that are there.
    over : str
        ``snapshot`` for what is kept at some records only.
    kind, by_default, defined_for, sizes, fits
        As for :class:`Observable`.

    Raises
    ------
    TypeError
        The cost is left out, or is none.
    """
    if not all(isinstance(each, Ingredient) for each in cost):
        raise TypeError(f"observable {name}: found the cost {cost!r}; expected ingredients, or FREE")
    return Observable(
        variable=Variable(name, ("run", over, *dims), long_name, units, source),
        kind=kind,
        measure=f"{measure}:{name}" if isinstance(measure, str) and ":" not in measure else measure,
        cost=tuple(cost),
        by_default=by_default,
        defined_for=tuple(defined_for),
        sizes=tuple(sorted((sizes or {}).items())),
        fits=fits,
    )
