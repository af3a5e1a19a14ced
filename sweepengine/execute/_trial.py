"""Whether users' code works at all: a record and a step of the smallest run, before anything is written or started."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sweepengine.errors import SpecError

if TYPE_CHECKING:
    from sweepengine.execute._data import Record
    from sweepengine.plan import Plan
    from sweepengine.spec import AnyRun
    from sweepengine.store import BlockShape


def try_users_code(plan: Plan) -> None:
    """Take the first record and the first step of the smallest run that is missing, as a worker would, on the CPU.

    All points are there, because users' code may know how many there are. Only the users' observables are recorded; of
    particles only some are there.

    Raises
    ------
    SpecError
        The code of an observable, model, potential, kernel or unit raised, or gave something of another type or shape.
    """
    missing = plan.missing()
    if not plan.code.used or not missing:
        return
    run = min(missing, key=lambda each: each.width)
    less = run.trial(tuple(name for name in run.observables if "@" in name))
    used = ", ".join(f"{each.kind} {each.name}@{each.version}" for each in plan.code.used)
    try:
        for record in _begun(less, plan, plan.shape(run)):
            if record is not None:
                _refuse_other_shapes(record, plan.shape(run), less.width)
    except (ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
        raise SpecError(
            f"{error}\nThis was a trial of {used} at t = 0 of run {run.id} (width {run.width}, seed {run.seed}); nothing has "
            "been written. Mend the code, or leave it out of the spec"
        ) from error


def _begun(run: AnyRun, plan: Plan, shape: BlockShape) -> list[Record | None]:
    """The first record and the first step of a run; neither if it diverges at once, which is no fault of the code."""
    import torch

    from sweepengine.execute._data import Data, make_turn
    from sweepengine.execute._executor import one_thread
    from sweepengine.execute._shards import Shards

    dtype = getattr(torch, run.precision)
    names = ("x_train", "y_train", "x_test", "y_test")
    arrays = {name: torch.from_numpy(getattr(plan.data, name)).to(dtype) for name in names}
    data = Data(**arrays, given={each.kind: each.arrays for each in plan.given})
    with one_thread():
        turn = make_turn([run], data, None, shape, Shards())
        return list(islice(turn.advance(), 2))


def _refuse_other_shapes(record: Record, shape: BlockShape, particles: int) -> None:
    """Raise for an observable whose dims of the sweep have other sizes than the sweep, or than there are particles."""
    values, sizes = record.values[0] or {}, shape.sizes | {"particle": particles}
    for variable in shape.variables:
        expected = tuple(sizes[dim] for dim in variable.dims[2:])
        found = values[variable.name].shape if variable.name in values else expected
        if found != expected:
            wanted = ", ".join(f"{dim}: {size}" for dim, size in zip(variable.dims[2:], expected, strict=True))
            raise SpecError(f"observable {variable.name}: found shape {found}; expected ({wanted})")
