"""The declaration of an observable, of this package or of a user. Imports no torch."""

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
    """Maps the moment now and the moment at t = 0 to the value, with the variable's dims except run and record."""


@dataclass(frozen=True)
class Observable:
    """A quantity that can be measured at a record.

    Attributes
    ----------
    variable : Variable
        Name, dims and description in a store.
    kind : str
        The kind of sweep whose runs have the observable.
    measure : callable or str
        The function that measures the observable, or its reference ``module:name``, which is imported when needed.
    cost : tuple of Ingredient
    by_default : bool
        Whether a spec that names no observables records this one, if the conditions hold.
    defined_for : tuple of Condition
        Conditions that a spec must meet.
    sizes : tuple of (str, int or tuple of str)
        The observable's own dims: each with its size, or with the names along it.
    fits : callable, optional
        Called with the widths of a sweep, the number of coordinates and the number of particles of the reference;
        raises :class:`SpecError` if the observable cannot be measured with them.
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
        """Name of the variable."""
        return self.variable.name

    @cached_property
    def function(self) -> Measure:
        """The function that measures the observable."""
        function: Measure = resolve_name(self.measure) if isinstance(self.measure, str) else self.measure
        return function

    @property
    def extents(self) -> dict[str, int]:
        """Sizes of the observable's own dims."""
        return {dim: size if isinstance(size, int) else len(size) for dim, size in self.sizes}

    def identity(self) -> dict[str, object]:
        """Everything that changes the observable's numbers, for its fingerprint.

        Stores keep fingerprints, so the form of this dict must stay as it is.
        """
        parts = {"variable": _Declared(self.variable), "sizes": self.sizes, "function": self.function}
        return parts if self.kind == "networks" else parts | {"kind": self.kind}


class _Declared:
    """A variable with the text that fingerprints are taken of: it had three more fields when stores kept the first."""

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
        Dims beside run and record.
    measure : callable or str
        As for :class:`Observable`; or the name of a module, for its function of the observable's name.
    cost : sequence of Ingredient
        :data:`FREE` if the observable takes only sums over arrays that a step or every record makes.
    over : str
        ``record``, or ``snapshot`` for an observable that is kept at some records only.
    kind, by_default, defined_for, sizes, fits
        As for :class:`Observable`.

    Returns
    -------
    Observable

    Raises
    ------
    TypeError
        The cost is not a sequence of ingredients.
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
