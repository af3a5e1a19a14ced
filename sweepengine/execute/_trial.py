"""A trial of users' code: a record and a step of the smallest run, before anything is written or started."""

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
    """Take the first record and the first step of the smallest run that is not finished, as a worker would, on the CPU.

    The trial has all points of the data, because users' code may depend on their number. It records the users'
    observables alone, and it has few particles.

    Raises
    ------
    SpecError
        The code of an observable, model, potential, kernel or unit raised, or returned another type or shape.
    """
    missing = plan.unfinished()
    if not plan.code.used or not missing:
        return
    run = min(missing, key=lambda run: run.width)
    reduced = run.trial(tuple(name for name in run.observables if "@" in name))
    used = ", ".join(f"{code.kind} {code.name}@{code.version}" for code in plan.code.used)
    try:
        for record in _begun(reduced, plan, plan.shape(run)):
            if record is not None:
                _refuse_other_shapes(record, plan.shape(run), reduced.width)
    except (ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
        raise SpecError(
            f"{error}\nThis was a trial of {used} at t = 0 of run {run.id} (width {run.width}, seed {run.seed}); "
            "nothing has been written. Mend the code, or leave it out of the spec"
        ) from error


def _begun(run: AnyRun, plan: Plan, shape: BlockShape) -> list[Record | None]:
    """Return the first record and step of a run; less if the run diverges, which is no fault of the code."""
    import torch

    from sweepengine.execute._data import Data
    from sweepengine.execute._executor import one_thread
    from sweepengine.execute._make_turn import make_turn
    from sweepengine.execute._shards import Shards

    dtype = getattr(torch, run.precision)
    names = ("x_train", "y_train", "x_test", "y_test")
    stored = plan.data_of(run)
    arrays = {name: torch.from_numpy(getattr(stored, name)).to(dtype) for name in names}
    data = Data(**arrays, given={needed.kind: needed.arrays for needed in plan.given})
    with one_thread():
        turn = make_turn([run], data, None, shape, Shards())
        return list(islice(turn.advance(), 2))


def _refuse_other_shapes(record: Record, shape: BlockShape, particles: int) -> None:
    """Raise if an observable has another shape than the block has for it, of so many particles."""
    values, sizes = record.values[0] or {}, shape.sizes | {"particle": particles}
    for variable in shape.variables:
        expected = tuple(sizes[dim] for dim in variable.dims[2:])
        actual = values[variable.name].shape if variable.name in values else expected
        if actual != expected:
            wanted = ", ".join(f"{dim}: {size}" for dim, size in zip(variable.dims[2:], expected, strict=True))
            raise SpecError(f"observable {variable.name}: found shape {actual}; expected ({wanted})")
