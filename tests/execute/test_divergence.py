"""Divergence is found on the device and read late, with the steps that an immediate look finds.

Steps read nothing else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import sweepengine
from sweepengine.execute import Data
from sweepengine.execute._divergence import Divergence
from sweepengine.networks import Inputs, initialise, learning_rates, network
from sweepengine.spec import Architecture, Method, Run
from tests.support.turns import turn_of, watched_looks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Tiny = Callable[..., dict[str, Any]]

STEPS, ETA = 200, 5.0
RECORDS = (0, 7, 90, STEPS)
LINEAR = Architecture(1, "tanh", 1.4, 0.0, 1.4, trained="last_layer")
"""Its loss grows by a constant factor in each step where η is too large for the kernel of the seed."""
SEEDS = (0, 1, 2, 3, 4, 5)


def problem(d: int = 5, outputs: int = 1, device: str = "cpu") -> Data:
    generator = torch.Generator().manual_seed(1)
    x, x_test = (torch.randn(n, d, generator=generator, dtype=torch.float64).to(device) for n in (12, 3))
    y, y_test = (torch.stack([each[:, k].sign() for k in range(outputs)], -1) for each in (x, x_test))
    return Data(x, y if outputs > 1 else y[:, 0], x_test, y_test if outputs > 1 else y_test[:, 0])


def runs(method: Method | None = None, a: Architecture = LINEAR, seeds: tuple[int, ...] = SEEDS) -> list[Run]:
    return [
        Run(a, 16, seed, 1.0, 0.5, "mse", STEPS * ETA, RECORDS, "float64", "0" * 16, method=method or Method())
        for seed in seeds
    ]


def looked_at_every_step(run: Run, factor: float) -> int:
    """The step at which plain descent diverges, by a look at the loss before every step."""
    data = problem()
    drawn = initialise(run.architecture, 16, 5, run.seed, torch.float64)
    net = network(run.architecture, drawn, [1.0], [run.alpha], learning_rates("last_layer", 1))
    inputs = Inputs.prepare(data.x_train, run.architecture)
    limit = 0.0
    for step in range(STEPS + 1):
        forward = net.forward(inputs)
        value = float((forward.outputs - data.y_train).square().mean()) / 2
        limit = limit or factor * max(value, float(data.y_train.square().mean()) / 2)
        if not value <= limit:
            return step
        net.descend(inputs, forward, None, forward.outputs - data.y_train, run.step_size)
    return -1


@pytest.fixture(scope="module")
def expected() -> list[int]:
    found = [looked_at_every_step(run, 1e6) for run in runs()]
    assert -1 in found
    assert len({step for step in found if step > 0}) > 1  # runs of one group diverge at different steps
    assert found != [looked_at_every_step(run, 1e4) for run in runs()]  # another limit would be seen
    return found


@pytest.fixture
def look_every(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have turns read after so many steps which runs have diverged."""
    return lambda steps: monkeypatch.setattr("sweepengine.execute._turn.LOOKS", steps)


@pytest.mark.parametrize("patience", [1, 3, 64, 10**6])
@pytest.mark.parametrize("group", [True, False])
def test_the_step_is_that_of_an_immediate_look(
    patience: int, group: bool, expected: list[int], look_every: Callable[[int], None]
) -> None:
    look_every(patience)
    found, recorded = [], []
    for each in [runs()] if group else [[run] for run in runs()]:
        turn = turn_of(each, problem())
        records = [record.values for record in turn.advance() if record is not None]
        found += turn.diverged_step.tolist()
        recorded += [sum(values[place] is not None for values in records) for place in range(len(each))]
    assert found == expected
    assert recorded == [sum(step < end for step in RECORDS) for end in (s if s >= 0 else STEPS + 1 for s in expected)]


@pytest.mark.parametrize("every", [1, 5, 50])
def test_a_turn_that_goes_on_from_its_states_finds_the_same(every: int, expected: list[int]) -> None:
    turn, state = turn_of(runs(), problem()), None
    while True:
        for place, _ in enumerate(turn.advance()):
            if place == every:
                state = {name: np.array(value) for name, value in turn.state().items()}
                break
        else:
            break
        turn = turn_of(runs(), problem(), state)
    assert turn.diverged_step.tolist() == expected


@pytest.mark.parametrize("on_all_points", [True, False])
def test_looks_that_nobody_passes(on_all_points: bool) -> None:
    zero = torch.zeros(1, dtype=torch.float64)
    targets = zero if on_all_points else zero.clone()
    limits = torch.tensor([torch.inf, torch.nan, 1.0, 1.0], dtype=torch.float64)
    found = Divergence(limits, zero, lambda outputs, targets: (outputs - targets).sum(-1))
    for step, last in ((3, 1.0), (4, torch.nan), (5, 0.5)):
        losses = torch.tensor([1.0 if step < 5 else torch.inf, 0.0, last, 1.0], dtype=torch.float64)
        found.look(step, losses[:, None], targets)
    assert found.read().tolist() == [5, 3, 4, -1]
    found.look(6.2, torch.tensor([0.0, 0.0, 0.0, 2.0], dtype=torch.float64)[:, None], targets)
    assert found.read().tolist() == [5, 3, 4, 7]  # what was found stays


@pytest.mark.parametrize("commit_seconds", [1e-9, 10.0])
def test_a_sweep_tells_who_diverged_when(
    commit_seconds: float, tiny: Tiny, tmp_path: Path, look_every: Callable[[int], None]
) -> None:
    content = tiny(
        network={"activation": "quadratic"},
        training={"step_size": 0.125, "time": 4.0},
        axes={"scaling": ["ntk", "mean_field"], "width": [16], "alpha": [0.01, 1.0]},
    )
    tables: list[NDArray[np.int64]] = []
    for patience in (1, 64):
        look_every(patience)
        store = tmp_path / f"{patience}.zarr"
        sweepengine.run(content, store, executor="inline", runs_per_turn=4, commit_seconds=commit_seconds)
        sweep = sweepengine.open_sweep(store).load()
        tables.append(np.stack([sweep.diverged_step, sweep.records_done]))
        assert len(set(sweep.diverged_step.values.tolist())) > 2
        marks = [json.loads(path.read_text()) for path in (store / "marks").rglob("*") if path.is_file()]
        assert not any(mark["states"] for mark in marks)
    np.testing.assert_array_equal(tables[0], tables[1])


class StaysThere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Every operation is on one device: nothing is fetched from it, and nothing is sent there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in torch.utils._pytree.tree_leaves((args, kwargs, result)):
            if isinstance(each, torch.Tensor):
                assert each.device.type == "meta", func
        return result


def a_step_elsewhere(turn: Any) -> None:
    """One step that records nothing on a device that holds no numbers, from which none can be read."""
    turn.step = 1
    with StaysThere():  # type: ignore[no-untyped-call]
        assert next(turn.advance()) is None


ARCHITECTURES = [
    Architecture(2, "relu", 1.4, 0.3, 1.4, output_bias=True),
    Architecture(1, "softplus", 1.4, 0.0, 1.4, centred=True),
    Architecture(2, "gelu", 1.4, 0.0, 1.4, trained="hidden_weights"),
    Architecture(3, "tanh", 1.4, 0.3, 1.4, trained="last_layer"),
]
METHODS = [Method(), Method("momentum", beta=0.5), Method("heun"), Method("rk4")]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_step_reads_nothing_from_its_device(method: Method) -> None:
    for a in ARCHITECTURES:
        for outputs in (1, 2):
            for seeds in ((0,), (0, 1)):
                a_step_elsewhere(turn_of(runs(method, a, seeds), problem(outputs=outputs, device="meta")))


@pytest.mark.parametrize(
    "reads",
    [
        lambda value: value.sum().item(),
        lambda value: value.cpu(),
        lambda value: bool((value > 0).any()),
        lambda value: value.nonzero(),
        lambda value: value + torch.ones(2, dtype=torch.float64),
        lambda value: value.copy_(torch.ones(2, dtype=torch.float64)),
    ],
)
def test_the_test_of_reads_can_fail(reads: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turn_of(runs(seeds=(0, 1)), problem(device="meta"))
    watched_looks(monkeypatch, reads)
    with pytest.raises((RuntimeError, AssertionError)):
        a_step_elsewhere(turn)


def test_a_single_network_with_an_output_bias_goes_on_from_its_state() -> None:
    """Its bias is a number without dims, in the parameters and in the momentum."""
    a = Architecture(1, "tanh", 1.4, 0.3, 1.4, output_bias=True)
    these = runs(Method("momentum", beta=0.5), a, (0,))
    ends = []
    for resumed in (False, True):
        turn = turn_of(these, problem())
        if resumed:
            for _ in zip(range(20), turn.advance(), strict=False):
                state = {name: np.array(each) for name, each in turn.state().items()}
            turn = turn_of(these, problem(), state)
        assert sum(each is None for each in turn.advance()) == (STEPS - int(state["step"]) if resumed else STEPS)
        ends.append(turn.state())
    for name, values in ends[0].items():
        np.testing.assert_array_equal(ends[1][name], values, err_msg=name)
