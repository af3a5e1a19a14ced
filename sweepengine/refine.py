"""Refinement of a sweep: seeds or widths are added until the intervals of exponents are short enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweepengine.analysis import CLAIMS, AnalysisError, reduce_runs
from sweepengine.analysis._dataset import kind_of, split
from sweepengine.analysis._quantities import split_key
from sweepengine.analysis._refinement import best_addition, half_width, possible_additions
from sweepengine.analysis._samples import curves_of, rows_of, samples_of
from sweepengine.errors import SpecError, did_you_mean, shown
from sweepengine.execute import Session
from sweepengine.options import RunOptions
from sweepengine.plan import MachineRate, make_plan
from sweepengine.spec import GAMMA_BY_LABEL, RefineSection, make_spec
from sweepengine.store import SweepStore, open_sweep, open_theory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import xarray as xr

    from sweepengine.analysis import Average, Curves
    from sweepengine.analysis._dataset import Group
    from sweepengine.analysis._quantities import Quantity
    from sweepengine.analysis._refinement import Addition
    from sweepengine.execute import Outcome, Progress
    from sweepengine.spec import AnySpec


@dataclass(frozen=True)
class Decided:
    """One decision of a refinement.

    Attributes
    ----------
    group, key : str
        Label of the group of runs, and key of the quantity (`movement_op/W0`) whose interval is the longest.
    half_width : float
        Half-width of that interval.
    addition : Addition or None
        The runs that are added; None if the refinement ends here.
    why : str
        The decision in a sentence, as the store keeps it.
    """

    group: str
    key: str
    half_width: float
    addition: Addition | None
    why: str


@dataclass(frozen=True)
class _Interval:
    group: Group
    key: str
    curves: Curves
    average: Average
    half_width: float


def refine(
    store: str | Path,
    aim: RefineSection | None = None,
    *,
    progress: Callable[[str], Progress] | None = None,
    **options: Any,
) -> Iterator[Decided]:
    """Add runs to a sweep until the intervals of the exponents are as short as wanted.

    In each round, the group whose interval is the longest gets new seeds or a wider network, whichever narrows the
    interval most in a second, as new blocks. The store keeps each decision beside the spec of the new runs. Stopping
    when an interval is short favours intervals that are short by chance: docs/statistics.md has the coverage that is
    left.

    Parameters
    ----------
    store : str or Path
    aim : RefineSection, optional
        What is to be narrowed, how far, and with how many runs at most; the section ``refine`` of the newest spec in
        the store where not given.
    progress : callable, optional
        From a sentence on the round to what shows its progress.
    **options
        How to run: the attributes of :class:`sweepengine.options.RunOptions` by name.

    Yields
    ------
    Decided
        Each decision before its runs are computed; the last has no addition.

    Raises
    ------
    SpecError
        There is no aim, or it names no quantity that the sweep has an exponent of; or an option goes with ``run`` only.
    RunError, StoreError
        As for :func:`sweepengine.run`.
    """
    RunOptions.shared(options, "refine")
    with Session(**options) as session:
        for decided, outcome in rounds(session, store, aim, progress):
            if outcome is None:
                yield decided


def rounds(
    session: Session, store: str | Path, aim: RefineSection | None, progress: Callable[[str], Progress | None] | None
) -> Iterator[tuple[Decided, Outcome | None]]:
    """The rounds of :func:`refine` on the executor of a session: each decision, and again with how its runs ended."""
    while True:
        sweep_store = SweepStore(store)
        sweep_store.must_exist()
        specs = [make_spec(entry["spec"]) for entry in sweep_store.attributes["specs"]]
        wanted = _aim_of(aim, specs)
        sweep = open_sweep(sweep_store.address)
        interval = max(_intervals(sweep, open_theory(sweep_store.address), wanted), key=lambda each: each.half_width)
        decided, refined = _decide(interval, wanted, specs[-1], sweep_store, sweep.sizes["run"])
        yield decided, None
        if refined is None:
            return
        outcome = session.run(
            refined, sweep_store.address, progress=progress(decided.why) if progress else None, reason=decided.why
        )
        yield decided, outcome
        if outcome.failed:
            return


def _aim_of(aim: RefineSection | None, specs: list[AnySpec]) -> RefineSection:
    sections = [spec.refine for spec in specs if spec.refine is not None]
    if aim is None and not sections:
        raise SpecError(
            "refine: the store's spec has no section refine; name an observable or a claim, and a target half-width"
        )
    return sections[-1] if aim is None else aim


def _quantities(sweep: xr.Dataset, aim: RefineSection) -> tuple[Quantity, ...]:
    """The quantities that are to be narrowed."""
    kind = kind_of(sweep)
    if aim.claim is not None:
        claims = {claim.id: claim for claim in CLAIMS}
        if aim.claim not in claims:
            near = did_you_mean(aim.claim, claims)
            raise SpecError(f"refine.claim: found {shown(aim.claim)}.{near} Claims are {', '.join(claims)}")
        evidence = [each for each in claims[aim.claim].evidence if each.of == kind.name]
        named = [expectation.quantity for each in evidence for expectation in each.expected]
    else:
        named = [each for each in (*kind.quantities, *kind.claimed) if each.name == aim.observable]
    if not any(each.fitted for each in named):
        fitted = [each.name for each in (*kind.quantities, *kind.claimed) if each.fitted]
        raise SpecError(
            f"refine: {shown(aim.claim or aim.observable)} has no exponent in a sweep of {kind.name}."
            f"{did_you_mean(aim.observable or '', fitted)} Quantities with exponents are {', '.join(fitted)}"
        )
    return tuple(dict.fromkeys(each for each in named if each.fitted))


def _intervals(sweep: xr.Dataset, theory: xr.Dataset, aim: RefineSection) -> list[_Interval]:
    quantities = _quantities(sweep, aim)
    table = reduce_runs(sweep, theory=theory, only=quantities)
    by_name = {each.name: each for each in quantities}
    found = []
    for group in split(sweep):
        rows = rows_of(table, sweep, group)
        for key, sample in samples_of(sweep, rows, group, quantities).items():
            quantity = by_name[split_key(key)[0]]
            try:
                curves = curves_of(quantity, sample.size, sample.seed, sample.values)
            except AnalysisError:
                continue  # a quantity that is 0, or a group with too few widths: nothing here can narrow it
            found.append(_Interval(group, key, curves, quantity.average, half_width(curves, quantity.average)))
    if not found:
        raise SpecError("refine: no group of the sweep has an exponent of this quantity at three widths or more")
    return found


def _decide(
    interval: _Interval, aim: RefineSection, spec: AnySpec, store: SweepStore, runs: int
) -> tuple[Decided, AnySpec | None]:
    now, target = interval.half_width, aim.target_halfwidth
    about = f"{interval.key} in {interval.group.label} is known to ± {now:.2g}, wanted is ± {target:g}"

    def ended(why: str) -> tuple[Decided, None]:
        return Decided(interval.group.label, interval.key, now, None, f"{about}; {why}"), None

    if now <= target:
        return ended("the target is met")
    additions = possible_additions(interval.curves, target, interval.average)
    specs = [_with(spec, interval.group, interval.curves, addition) for addition in additions]
    plans = [make_plan(each, store) for each in specs]
    rate = MachineRate.measure(spec.precision)
    seconds = [sum(pack.seconds for pack in plan.packs(rate)) for plan in plans]
    best = best_addition(additions, now, target, seconds)
    chosen = additions.index(best)
    count = len(plans[chosen].missing())
    if runs + count > aim.max_runs:
        return ended(f"{count} more runs would pass the limit of {aim.max_runs}")
    what = f"{best.axis} {', '.join(map(str, best.values))}"
    predicted = f"± {best.half_width:.2g}" if math.isfinite(best.half_width) else "an interval"
    why = f"{about}; adds {what} ({count} runs, about {seconds[chosen]:.2g} s), which predicts {predicted}"
    return Decided(interval.group.label, interval.key, now, best, why), specs[chosen]


def _with(spec: AnySpec, group: Group, curves: Curves, addition: Addition) -> AnySpec:
    """The spec of the runs that an addition means: the axes of the group, with the new values of one of them."""
    content = spec.to_json()
    axes = dict(content["axes"])
    for name in axes:
        if name == "scaling":
            label = str(group.axes["scaling"])
            axes[name] = [label if label in GAMMA_BY_LABEL else float(group.axes["gamma"])]
        elif name == "case":
            axes[name] = [str(group.axes["scaling"])]
        elif name in group.axes:
            axes[name] = [group.axes[name]]
    axes["width"] = [int(width) for width in curves.widths]
    axes["seed"] = [int(seed) for seed in curves.seeds]
    axes[addition.axis] = list(addition.values)
    return make_spec(content | {"axes": axes})
