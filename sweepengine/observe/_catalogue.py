"""The observables that are declared, by kind of sweep. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.observe import _cloud, _kernel, _linear, _movement, _output, _signal, _solver, _taylor
from sweepengine.plugins import current, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sweepengine.observe._observable import Observable

_DECLARED: dict[str, dict[str, Observable]] = {}


def declare(observables: Iterable[Observable]) -> None:
    """Let specs name observables.

    Their order is part of the ids of runs, so what is declared later, or further down, comes after what is there.

    Raises
    ------
    ValueError
        A kind has an observable of this name already.
    """
    for each in observables:
        known = _DECLARED.setdefault(each.kind, {})
        if each.name in known:
            raise ValueError(f"observable {each.name}: declared twice for {each.kind}; take another name")
        known[each.name] = each


def declared(kind: str) -> Mapping[str, Observable]:
    """Name → observable of a kind of sweep, in canonical order; without those of users."""
    return _DECLARED.get(kind, {})


def user_keys(kind: str) -> dict[str, str]:
    """Name → ``name@version`` of the observables of a kind that users have registered in this process."""
    return {name: entry.key for name, entry in current("observable").items() if entry.content.kind == kind}


def user_observable(key: str) -> Observable:
    """The observable of a ``name@version``. Raises :class:`SpecError` if there is none."""
    found: Observable = find("observable", key).content
    return found


def observables_of(kind: str, names: Iterable[str]) -> tuple[Observable, ...]:
    """The observables of canonical names.

    Raises
    ------
    SpecError
        A user's is not registered in this process.
    """
    return tuple(user_observable(name) if "@" in name else _DECLARED[kind][name] for name in names)


_SUBJECTS = (_output, _kernel, _signal, _movement, _linear, _taylor, _solver)
_NETWORKS = [each for subject in _SUBJECTS for each in subject.OBSERVABLES]
# Of networks what is recorded by default came first when ids were first made.
declare(sorted(_NETWORKS, key=lambda each: not each.by_default))
declare(_cloud.OBSERVABLES)
