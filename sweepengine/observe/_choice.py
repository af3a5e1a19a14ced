"""The choice of observables by a spec, and what a run records for it. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sweepengine.errors import SpecError, did_you_mean, shown
from sweepengine.observe._catalogue import declared, observables_of, user_keys
from sweepengine.observe._variable import OUTPUT_DIMS
from sweepengine.spec import kind_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sweepengine.observe._conditions import Condition
    from sweepengine.observe._record_cost import Ingredient
    from sweepengine.observe._variable import Variable
    from sweepengine.spec import AnyRun, AnySpec


def canonical_names(spec: AnySpec, user: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Names of the observables of a spec in canonical order, users' observables as ``name@version``.

    A spec that names no observables has the default set of its kind.

    Parameters
    ----------
    spec : SweepSpec or ParticleSpec
    user : mapping, optional
        Users' observables of this kind, name → ``name@version``; without it those registered in this process.

    Returns
    -------
    tuple of str
        Equal choices give equal tuples, so a run's id does not depend on the order of the list in the spec.

    Raises
    ------
    SpecError
        A name is unknown, or its observable is not defined for this spec; the message says which are.
    """
    own, known = user_keys(spec.kind) if user is None else user, declared(spec.kind)
    if spec.observables is None:
        named = default_names(spec)
    else:
        named = _in_order(spec.observables, [*known, *sorted(own)], spec.kind)
    chosen = [known[name] for name in named if name in known]
    _refuse_what_is_not_used(spec, {condition for each in chosen for condition in each.defined_for})
    for observable in chosen:
        for condition in observable.defined_for:
            if not condition.holds(spec):
                allowed = _names(spec.kind, condition, needed=False)
                hint = f". {condition.alternatives}: {', '.join(allowed)}" if condition.alternatives else ""
                raise SpecError(f"observables: {observable.name} {condition.refusal(spec)}{hint}")
    return tuple(own.get(name, name) for name in named)


def default_names(spec: AnySpec) -> tuple[str, ...]:
    """Names of the observables that a spec records where it names none."""
    return tuple(
        observable.name
        for observable in declared(spec.kind).values()
        if observable.by_default and all(condition.holds(spec) for condition in observable.defined_for)
    )


def _names(kind: str, condition: Condition, *, needed: bool) -> list[str]:
    """Names of the observables that need a condition, or of those that do not need it."""
    return [each.name for each in declared(kind).values() if (condition in each.defined_for) == needed]


def _in_order(names: Sequence[str], known: Collection[str], kind: str) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        hint = did_you_mean(unknown[0], known)
        kinds = [name for name in kind_names() if name != kind and unknown[0] in {*declared(name), *user_keys(name)}]
        hint += f" It is an observable of {kinds[0]}." if kinds else ""
        # All the names are a long list, which would hide the one that is meant.
        names = "" if hint else "\n    ".join([" Names:", *known])
        raise SpecError(
            f"observables: found {shown(unknown[0])}, which is no observable of {kind}.{hint} If it is one of your "
            f"own: did you forget --plugin FILE, or plugins=[…] in Python?{names}"
        )
    return tuple(name for name in known if name in names)


def _refuse_what_is_not_used(spec: AnySpec, used: Collection[Condition]) -> None:
    conditions = dict.fromkeys(condition for each in declared(spec.kind).values() for condition in each.defined_for)
    for condition in conditions:
        if condition.field and condition not in used and getattr(spec, condition.field) is not None:
            raise SpecError(
                f"{condition.field}: given, and nothing that is recorded uses it; name "
                f"{' or '.join(sorted(_names(spec.kind, condition, needed=True)))} under observables, or remove it"
            )


def ingredients_of(run: AnyRun) -> tuple[Ingredient, ...]:
    """Ingredients of the observables of a run. An ingredient that several observables need comes several times."""
    observables = observables_of(run.kind, run.observables)
    return tuple(ingredient for observable in observables for ingredient in observable.cost)


def variables_of(run: AnyRun, outputs: int = 1) -> tuple[Variable, ...]:
    """Variables that a run records, with the dims that they have for its number of outputs.

    Parameters
    ----------
    run : Run or ParticleRun
    outputs : int
        k; for k = 1 the variables have no dims over outputs.
    """
    variables = [each.variable for each in observables_of(run.kind, run.observables)]
    if outputs > 1:
        return tuple(variables)
    return tuple(replace(each, dims=tuple(dim for dim in each.dims if dim not in OUTPUT_DIMS)) for each in variables)


def given_ids(run: AnyRun) -> dict[str, str]:
    """Kind → id of the arrays that a run needs beside its data; see :class:`sweepengine.data.Given`."""
    observables = observables_of(run.kind, run.observables)
    return run.given_ids({condition.field for each in observables for condition in each.defined_for})
