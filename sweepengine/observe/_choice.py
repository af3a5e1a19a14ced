"""What a spec may choose of the observables, and what a run then records. Imports no torch."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from sweepengine.errors import SpecError, shown
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
    """The observables of a spec in canonical order, those of users as ``name@version``; the default set spelt out.

    Parameters
    ----------
    spec : SweepSpec or ParticleSpec
    user : mapping, optional
        The users' observables of this kind, name → ``name@version``; those registered in this process where not given.

    Returns
    -------
    tuple of str
        Equal choices give equal tuples, so that a run's id does not know the order of a list.

    Raises
    ------
    SpecError
        A name is unknown, or not defined for this spec; the message says what is.
    """
    own, known = user_keys(spec.kind) if user is None else user, declared(spec.kind)
    if spec.observables is None:
        named: tuple[str, ...] = tuple(
            each.name for each in known.values() if each.by_default and all(c.holds(spec) for c in each.defined_for)
        )
    else:
        named = _in_order(spec.observables, [*known, *sorted(own)], spec.kind)
    chosen = [known[name] for name in named if name in known]
    _refuse_what_is_not_used(spec, {condition for each in chosen for condition in each.defined_for})
    for each in chosen:
        for condition in each.defined_for:
            if not condition.holds(spec):
                others = _names(spec.kind, condition, needed=False)
                hint = f". {condition.alternatives}: {', '.join(others)}" if condition.alternatives else ""
                raise SpecError(f"observables: {each.name} {condition.refusal(spec)}{hint}")
    return tuple(own.get(name, name) for name in named)


def _names(kind: str, condition: Condition, *, needed: bool) -> list[str]:
    """The observables that need a condition, or those that do not."""
    return [each.name for each in declared(kind).values() if (condition in each.defined_for) == needed]


def _in_order(names: Sequence[str], known: Collection[str], kind: str) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        others = [
            other for other in kind_names() if other != kind and unknown[0] in {*declared(other), *user_keys(other)}
        ]
        hint += f" It is one of {others[0]}." if others else ""
        raise SpecError(
            f"observables: found {shown(unknown[0])}.{hint} Allowed: {', '.join(known)}. If it is one of your own: did you "
            "forget --plugin FILE, or plugins=[…] in Python?"
        )
    return tuple(name for name in known if name in names)


def _refuse_what_is_not_used(spec: AnySpec, used: Collection[Condition]) -> None:
    every = dict.fromkeys(condition for each in declared(spec.kind).values() for condition in each.defined_for)
    for condition in (each for each in every if each.field and each not in used):
        if getattr(spec, condition.field) is not None:
            raise SpecError(
                f"{condition.field}: given, and nothing that is recorded uses it; name "
                f"{' or '.join(sorted(_names(spec.kind, condition, needed=True)))} under observables, or remove it"
            )


def ingredients_of(run: AnyRun) -> tuple[Ingredient, ...]:
    """What the observables of a run are made of; what several need comes several times."""
    return tuple(each for one in observables_of(run.kind, run.observables) for each in one.cost)


def variables_of(run: AnyRun, outputs: int = 1) -> tuple[Variable, ...]:
    """What a run records, with the dims that it has.

    Parameters
    ----------
    run : Run or ParticleRun
    outputs : int
        k; for a single output the dims over outputs vanish.
    """
    variables = [each.variable for each in observables_of(run.kind, run.observables)]
    if outputs > 1:
        return tuple(variables)
    return tuple(replace(each, dims=tuple(dim for dim in each.dims if dim not in OUTPUT_DIMS)) for each in variables)


def given_ids(run: AnyRun) -> dict[str, str]:
    """Kind → id of what a run needs beside its data, as :class:`sweepengine.data.Given` has them."""
    observables = observables_of(run.kind, run.observables)
    return run.given_ids({condition.field for each in observables for condition in each.defined_for})
