"""The catalogue of declared observables, by kind of sweep. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.observe import _cloud, _kernel, _linear, _movement, _output, _signal, _solver, _taylor, computations
from sweepengine.plugins import current, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sweepengine.observe._observable import Observable

_DECLARED: dict[str, dict[str, Observable]] = {}


def declare(observables: Iterable[Observable]) -> None:
    """Add observables to the catalogue, so that specs may name them.

    The catalogue keeps the order of declaration, which is the canonical order and part of the ids of runs: declare new
    observables after the existing ones, and never reorder them.

    Parameters
    ----------
    observables : iterable of Observable

    Raises
    ------
    ValueError
        The kind has an observable of this name already.
    """
    for observable in observables:
        known = _DECLARED.setdefault(observable.kind, {})
        if observable.name in known:
            raise ValueError(f"observable {observable.name}: declared twice for {observable.kind}; take another name")
        known[observable.name] = observable


def declared(kind: str) -> Mapping[str, Observable]:
    """Name → observable of a kind of sweep, in canonical order; without the observables of users."""
    return _DECLARED.get(kind, {})


def user_keys(kind: str) -> dict[str, str]:
    """Name → ``name@version`` of the observables of a kind that users have registered in this process."""
    return {name: entry.key for name, entry in current("observable").items() if entry.content.kind == kind}


def user_observable(key: str) -> Observable:
    """The user's observable of the key ``name@version``. Raises :class:`SpecError` if none is registered."""
    observable: Observable = find("observable", key).content
    return observable


def observables_of(kind: str, names: Iterable[str]) -> tuple[Observable, ...]:
    """The observables of a kind of sweep that canonical names stand for.

    Raises
    ------
    SpecError
        A user's observable is not registered in this process.
    """
    return tuple(user_observable(name) if "@" in name else _DECLARED[kind][name] for name in names)


_SUBJECTS = (_output, _kernel, _signal, _movement, _linear, _taylor, _solver)
_NETWORKS = [each for subject in _SUBJECTS for each in subject.OBSERVABLES]
# The ids of runs of networks are made with the default observables in front.
declare(sorted(_NETWORKS, key=lambda each: not each.by_default))
declare(_cloud.OBSERVABLES)
declare(computations.OBSERVABLES)
