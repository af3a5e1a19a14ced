"""Recorded steps. A recorder of operations stands in for a CUDA graph: what is replayed has the bits of the steps."""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import RunError, SpecError
from sweepengine.execute import Data
from sweepengine.execute._graph import WARM_UP, Kept, cuda_graph
from sweepengine.execute._turn import NetworkTurn
from sweepengine.networks import Network, Stepper
from sweepengine.spec import Architecture, Method, Run, make_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Tiny = Callable[..., dict[str, Any]]

STEPS, RECORDS = 40, (0, 1, 5, 25, 40)
METHODS = [Method(), Method("momentum", beta=0.5), Method("heun"), Method("rk4")]
ARCHITECTURES = [
    Architecture(2, "relu", 1.4, 0.3, 1.4, output_bias=True),
    Architecture(1, "gelu", 1.4, 0.0, 1.4, centred=True),
    Architecture(2, "tanh", 1.4, 0.0, 1.4, trained="hidden_weights"),
]


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Operations with the memory that they use, as a CUDA graph holds them; no number may reach the host on the way."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        for func, args, kwargs, result in self.operations:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                    old.copy_(new)


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory of the host stands in for that of a GPU, where NumPy does nothing."""
    monkeypatch.setattr("sweepengine.networks._activations.on_host", lambda _: False)


def tape(step: Callable[[], object]) -> Callable[[], object]:
    recording = Tape()
    with recording:
        step()
    return recording.replay


def problem(outputs: int = 1, precision: str = "float64") -> Data:
    generator = torch.Generator().manual_seed(1)
    x, x_test = (torch.randn(n, 5, generator=generator, dtype=getattr(torch, precision)) for n in (12, 3))
    y, y_test = (torch.stack([each[:, k].sign() for k in range(outputs)], -1) for each in (x, x_test))
    return Data(x, y if outputs > 1 else y[:, 0], x_test, y_test if outputs > 1 else y_test[:, 0])


def runs(
    method: Method | None = None, a: Architecture = ARCHITECTURES[0], count: int = 3, eta: float = 0.2,
    precision: str = "float64",
) -> list[Run]:  # fmt: skip
    return [
        Run(a, 16, seed, 0.5 + 0.25 * (seed % 3), 1.0, "mse", STEPS * eta, RECORDS, precision, "0" * 16,
            method=method or Method())
        for seed in range(count)
    ]  # fmt: skip


def advanced(turn: NetworkTurn) -> list[Any]:
    return [record.values for record in turn.advance() if record is not None]


def assert_equal(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert (one is None) == (other is None)
            for name in one or {}:
                np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_replayed_steps_have_the_bits_of_the_steps(method: Method) -> None:
    for place, a in enumerate(ARCHITECTURES):
        for count, outputs, precision in ((1, 1, "float32"), (3, 1 + place % 2, "float64")):
            these = runs(method, a, count, precision=precision)
            data = problem(outputs, precision)
            assert_equal(advanced(NetworkTurn(these, data, None, tape)), advanced(NetworkTurn(these, data)))


def test_a_replayed_turn_goes_on_from_any_state() -> None:
    these = runs(Method("momentum", beta=0.9))
    expected, records = advanced(NetworkTurn(these, problem())), []
    turn = NetworkTurn(these, problem(), None, tape)
    while True:
        for place, record in enumerate(turn.advance()):
            if record is not None:
                records.append(record.values)
            if place == 9:
                state = {name: np.array(value) for name, value in turn.state().items()}
                break
        else:
            break
        turn = NetworkTurn(these, problem(), state, tape)
    assert_equal(records, expected)


@pytest.mark.parametrize("eta", [6.0, 50.0])
def test_runs_diverge_where_they_did(eta: float) -> None:
    """Also within the steps by which a recording is checked."""
    linear = Architecture(1, "tanh", 1.4, 0.0, 1.4, trained="last_layer")
    these = runs(a=linear, count=6, eta=eta)
    turns = [NetworkTurn(these, problem(), None, record) for record in (None, tape)]
    records = [advanced(turn) for turn in turns]
    assert_equal(*records)
    assert turns[0].diverged_step.tolist() == turns[1].diverged_step.tolist()
    assert len(set(turns[0].diverged_step.tolist())) > 1
    assert (-1 if eta < 10 else 3) in turns[0].diverged_step


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_steps_are_alike_to_the_last_address(method: Method) -> None:
    """The operations, the numbers that they take from the host and the memory that was there before."""
    turn = NetworkTurn(runs(method), problem())
    turn.step = 1
    tapes = []
    for _ in range(4):
        recording, kept = Tape(), Kept()
        with recording, kept:
            turn.compute()
        turn.count()
        scalars = [
            [each for each in tree_leaves((args, kwargs)) if not isinstance(each, torch.Tensor)]
            for _, args, kwargs, _ in recording.operations
        ]
        tapes.append(([str(func) for func, *_ in recording.operations], scalars, set(kept.arrays)))
    assert tapes[1] == tapes[2] == tapes[3]
    parameters = turn._network.parameters.tensors().values()
    assert {each.untyped_storage().data_ptr() for each in parameters} <= tapes[3][2]
    assert len(tapes[3][2]) < len(tapes[3][0])  # what is made on the way is not kept


def test_what_a_recording_uses_is_kept() -> None:
    there, kept = torch.ones(3), Kept()
    with kept:
        made = there * 2
        made.view(3, 1).add_(made.reshape(3, 1))
        torch.add(there, 1, out=there)
    assert [each is there for each in kept.arrays.values()] == [True]


def spoiled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a step that cannot be recorded."""
    step, calls = Stepper.__subclasses__()[0].step, [0]
    hidden = torch.zeros((), dtype=torch.float64)

    def host_number(self: Any, now: Any, until: int) -> float:
        end: float = step(self, now, until)
        for each in self.training.network.parameters.tensors().values():
            each.mul_(1 - 1e-4 * now.position)
        return end

    def host_branch(self: Any, now: Any, until: int) -> float:
        calls[0] += 1
        if calls[0] % 2:
            self.training.network.parameters.readout.mul_(0.99)
        end: float = step(self, now, until)
        return end

    def unsaved(self: Any, now: Any, until: int) -> float:
        hidden.add_(0.01)
        self.training.network.parameters.readout.mul_(1 - hidden)
        end: float = step(self, now, until)
        return end

    def read(self: Any, now: Any, until: int) -> float:
        float(now.forward.outputs.sum())
        end: float = step(self, now, until)
        return end

    monkeypatch.setattr(Stepper.__subclasses__()[0], "step", locals()[name])


@pytest.mark.parametrize("how", ["host_number", "host_branch", "unsaved", "read"])
def test_steps_that_are_not_alike_are_not_replayed(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoiled(how, monkeypatch)
    advanced(NetworkTurn(runs(), problem()))  # as such it runs
    with pytest.raises(RuntimeError, match=r"does not repeat the step: W|capturing"):
        advanced(NetworkTurn(runs(), problem(), None, tape))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_check_is_of_rounding_and_of_no_more(precision: str) -> None:
    def off_by(factor: float) -> Callable[[Callable[[], object]], Callable[[], object]]:
        def record(step: Callable[[], object]) -> Callable[[], object]:
            def replay() -> None:
                assert isinstance(turn._network, Network)
                readout = turn._network.parameters.readout
                before = readout.clone()
                step()
                readout.add_((readout - before) * factor)

            return replay

        return record

    eps = float(np.finfo(precision).eps)
    for factor, passes in ((0.0, True), (8 * eps, True), (30 * eps**0.5, False), (-1.0, False)):
        turn = NetworkTurn(runs(precision=precision), problem(precision=precision), None, off_by(factor))
        if passes:
            advanced(turn)
        else:
            with pytest.raises(
                RunError, match=r"cuda_graphs: the recorded step does not repeat the step: W[02] differs"
            ):
                advanced(turn)


def test_recording_leaves_no_trace() -> None:
    states: list[dict[str, NDArray[Any]]] = []
    for record in (None, tape):
        turn = NetworkTurn(runs(Method("momentum", beta=0.5)), problem(), None, record)
        for place, _ in enumerate(turn.advance()):
            if place == 3:  # the first step that stores nothing has just been made
                break
        states.append({name: np.array(value) for name, value in turn.state().items()})
    assert int(states[0]["step"]) == 2
    for name, values in states[0].items():
        np.testing.assert_array_equal(states[1][name], values, err_msg=name)


class FakeCuda:
    """What :func:`cuda_graph` uses of torch.cuda, in the order in which it does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        here, there = self._stream("here"), self._stream("there")
        for name, value in (
            ("Stream", lambda: there), ("current_stream", lambda: here), ("stream", self._on), ("graph", self._capture),
            ("CUDAGraph", lambda: SimpleNamespace(replay=None)),
        ):  # fmt: skip
            monkeypatch.setattr(torch.cuda, name, value)

    def _stream(self, name: str) -> Any:
        return SimpleNamespace(name=name, wait_stream=lambda other: self.said.append(f"{name} waits for {other.name}"))

    @contextmanager
    def _on(self, stream: Any) -> Iterator[None]:
        self.said.append(f"on {stream.name}")
        yield
        self.said.append(f"off {stream.name}")

    @contextmanager
    def _capture(self, graph: Any, stream: Any) -> Iterator[None]:
        self.said.append(f"captured on {stream.name}")
        recording = Tape()
        with recording:
            yield
        graph.replay = recording.replay


def test_a_graph_is_made_as_torch_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, there = FakeCuda(monkeypatch), torch.zeros(2)

    def step() -> None:
        cuda.said.append("step")
        there.add_(torch.ones(2))

    replay = cuda_graph(step)
    assert cuda.said == [
        "there waits for here", "on there", *["step"] * WARM_UP, "off there", "here waits for there",
        "captured on there", "step",
    ]  # fmt: skip
    before = there.clone()
    replay()
    assert torch.equal(there, before + 1)
    assert cuda.said[-1] == "step"
    assert cuda.said.count("step") == WARM_UP + 1  # what is replayed is no call
    assert any(each is there for each in replay.kept.arrays.values())  # type: ignore[attr-defined]


def test_a_sweep_with_recorded_steps_is_the_same_sweep(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = FakeCuda(monkeypatch)
    for module in ("_driver", "_opened"):
        monkeypatch.setattr(f"sweepengine.execute.{module}.pick_device", lambda _: torch.device("cpu"))
    found = []
    for graphs in (False, True):
        store = tmp_path / f"{graphs}.zarr"
        sweepengine.run(tiny(), store, executor="inline", device="cuda", cuda_graphs=graphs, commit_seconds=0.05)
        found.append(sweepengine.open_sweep(store).load())
        assert cuda.said.count("captured on there") == (8 if graphs else 0)
    for name in found[0].data_vars:
        if name != "peak_memory":
            np.testing.assert_array_equal(found[0][name], found[1][name], err_msg=str(name))


def test_what_cannot_be_recorded_is_said(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match="cuda_graphs: found device 'auto'; set device 'cuda', or leave cuda_graphs out"
    ):
        sweepengine.run(tiny(), tmp_path / "a.zarr", executor="inline", cuda_graphs=True)
    (tmp_path / "tiny.yaml").write_text(json.dumps(tiny()))
    assert main(["run", str(tmp_path / "tiny.yaml"), "--cuda-graphs"]) == 2
    assert not make_spec(tiny(training={"method": {"name": "momentum", "beta": 0.5}})).unlike_steps()
    for method in ("rk45", {"name": "sgd", "batch_size": 4}):
        with pytest.raises(SpecError, match=r"cuda_graphs: found training.method (rk45|sgd).*leave cuda_graphs out"):
            sweepengine.run(tiny(training={"method": method}), tmp_path / "a.zarr", device="cuda", cuda_graphs=True)
