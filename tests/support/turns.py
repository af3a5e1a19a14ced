"""The turns of a sweep in this process, as tests watch them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from sweepengine.execute import Data, _make_turn
from sweepengine.execute._divergence import Divergence
from sweepengine.plan import make_plan
from sweepengine.spec import kind_of, make_spec, resolve
from sweepengine.store import SweepStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import pytest
    from numpy.typing import NDArray

    from sweepengine.execute import MakeTurn
    from sweepengine.spec import AnyRun


def planned(content: dict[str, Any]) -> tuple[list[Any], Data]:
    """The runs of a spec, and its data as their turns read them."""
    plan = make_plan(make_spec(content), SweepStore("memory://nothing.zarr"))
    dtype = getattr(torch, content["precision"])
    stored = plan.data_of(plan.runs[0])
    arrays = (stored.x_train, stored.y_train, stored.x_test, stored.y_test)
    x_train, y_train, x_test, y_test = (torch.from_numpy(each).to(dtype) for each in arrays)
    return list(plan.runs), Data(x_train, y_train, x_test, y_test)


def turn_of(runs: Sequence[AnyRun], data: Data, state: Mapping[str, NDArray[np.generic]] | None = None) -> Any:
    """The turn that the kind of some runs of networks makes of them."""
    make: MakeTurn = resolve(kind_of(runs[0]).turn)
    nobody: Any = None  # networks ask neither for the block's shape nor for shards
    return make(list(runs), data, state, nobody, nobody, cuda_graphs=False)


class Begun(NamedTuple):
    """How many runs a turn advances together, and the step from which it goes on."""

    runs: int
    step: float


def watched_turns(monkeypatch: pytest.MonkeyPatch) -> list[Begun]:
    """The turns that tasks of this process begin from now on, in their order."""
    begun: list[Begun] = []
    real = _make_turn.make_turn

    def watched(runs: Any, *others: Any, **options: Any) -> Any:
        made: Any = real(runs, *others, **options)
        begun.append(Begun(len(runs), made.state()["step"].item()))
        return made

    for module in ("_chunk_job", "_follower"):
        monkeypatch.setattr(f"sweepengine.execute.{module}.make_turn", watched)
    return begun


def watched_looks(monkeypatch: pytest.MonkeyPatch, see: Callable[[torch.Tensor], object]) -> None:
    """Show the outputs that turns of networks look at for divergence, before they do."""
    look = Divergence.look

    def seen(self: Divergence, step: float, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        see(outputs)
        look(self, step, outputs, targets)

    monkeypatch.setattr(Divergence, "look", seen)
