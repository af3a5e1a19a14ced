"""Observables of computations: one file for each subject, whose ``OBSERVABLES`` are found by themselves.

A function of this package takes a :class:`sweepengine.observe.Case`, twice as all observables take two moments, and
returns a number or an array of the observable's own dims. Its module imports no torch; the function may.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sweepengine.observe._observable import Observable

OBSERVABLES: Final[tuple[Observable, ...]] = tuple(
    observable
    for module in iter_modules(__path__)
    for observable in import_module(f"{__name__}.{module.name}").OBSERVABLES
)
