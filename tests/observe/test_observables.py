"""Every variable that a spec may name, against automatic differentiation, for one and several outputs and groups."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from sweepengine.networks import COSTS, Inputs, initialise, learning_rates, network, stack
from sweepengine.networks import _hessian as hessian
from sweepengine.observe import (
    FREE,
    Sizes,
    declared,
    observable,
    parameter_count,
    parameter_shapes,
    record_cost,
    unflatten,
    variables_of,
)
from sweepengine.observe._linear_measures import summed_powers
from sweepengine.observe.measure import Moment, Problem, Recorder
from sweepengine.plan import MachineRate, make_plan
from sweepengine.spec import Architecture, Run, make_spec
from sweepengine.store import SweepStore
from tests.support.networks_reference import points
from tests.support.observe_reference import PlainCost, PlainMoment, Points

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

N, N_TEST, D, ETA = 4, 3, 3, 0.4
VARIABLES = declared("networks")
# Of the signs of numbers alone: a few percent need not change them.
OF_SIGNS = {"accuracy_train", "accuracy_test", "activation_flips"}
# What an adaptive method reports is no function of the network: tests/execute/test_methods.py.
DERIVED = [name for name in VARIABLES if not name.startswith("solver_")]

CONSTANT = {"feature_gram", "hessian_rms"}  # Φ_0 is the points'; the last layer has no second derivative
LOSSES = {
    "mse": PlainCost(lambda f, y: f - y, lambda f, y: 0.5 * (f - y).square().sum() / len(y)),
    "logistic": PlainCost(
        lambda f, y: -y * torch.sigmoid(-y * f),
        lambda f, y: torch.nn.functional.softplus(-y * f).sum() / len(y),
    ),
}


class Case:
    """A few seeds trained for some steps, as the engine has them and as automatic differentiation does."""

    def __init__(
        self,
        a: Architecture,
        *,
        outputs: int = 1,
        gamma: tuple[float, ...] = (0.5,),
        alpha: float = 1.0,
        steps: int = 3,
        width: int | list[int] = 6,
        loss: str = "mse",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.outputs, count = outputs, len(gamma)
        x, x_test = points(N, D, 1).to(dtype), points(N_TEST, D, 2).to(dtype)
        y, y_test = (torch.sign(points(n, outputs, seed)).to(dtype) for n, seed in ((N, 3), (N_TEST, 4)))
        if outputs == 1:
            y, y_test = y[:, 0], y_test[:, 0]
        singles = [initialise(a, width, D, seed, dtype, outputs=outputs) for seed in range(count)]
        initial, rates = stack(singles), learning_rates(a.trained, a.depth)
        start = network(a, initial, list(gamma), [alpha] * count, rates)
        train, test = Inputs.prepare(x, a), Inputs.prepare(x_test, a)
        if a.centred:
            train, test = start.centre(train), start.centre(test)
        problem = Problem(train, test, y, y_test, COSTS[loss](), ETA)
        self.start = Moment(start, problem, 0)
        net = network(a, initial.map(torch.clone), list(gamma), [alpha] * count, rates)
        for _ in range(steps):
            forward = net.forward(train)
            net.descend(train, forward, None, problem.cost.gradient(forward.outputs, y), ETA)
        self.now = Moment(net, problem, steps)
        self.plain: list[PlainMoment] = []
        for place in range(count):
            ends = [
                {
                    name: (tensor[place] if count > 1 else tensor).to(torch.float64)
                    for name, tensor in each.parameters.tensors().items()
                }
                for each in (start, net)
            ]
            many = Points(*(each.to(torch.float64) for each in (x, y, x_test, y_test)))
            self.plain.append(PlainMoment(a, gamma[place], alpha, rates, many, LOSSES[loss], ETA, steps, *ends))

    def measured(self, names: list[str]) -> list[dict[str, Tensor]]:
        values = Recorder("networks", names, self.start).measure(self.now)
        if len(self.plain) == 1:
            return [values]
        return [{name: value[place] for name, value in values.items()} for place in range(len(self.plain))]


def distance(found: Tensor, expected: Tensor) -> float:
    """Relative in the largest entry; NaN in the same places."""
    assert found.shape == expected.shape
    assert torch.equal(found.isnan(), expected.isnan())
    found, expected = (each.nan_to_num().to(torch.float64) for each in (found, expected))
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-300))


CASES: dict[str, Callable[[], Case]] = {
    "tanh-1": lambda: Case(Architecture(1, "tanh", 1.3, 0.0, 0.9)),
    "relu-1-mean-field": lambda: Case(Architecture(1, "relu", 1.3, 0.0, 0.9), gamma=(1.0,), alpha=2.0),
    "gelu-2-biases": lambda: Case(Architecture(2, "gelu", 1.3, 0.4, 0.9, output_bias=True), gamma=(0.75,), alpha=1.5),
    "tanh-3-group": lambda: Case(Architecture(3, "tanh", 1.2, 0.3, 1.1), gamma=(0.5, 1.0)),
    "sin-2-outputs": lambda: Case(Architecture(2, "sin", 1.1, 0.4, 0.9, output_bias=True), outputs=2, gamma=(0.75,)),
    "softplus-3-outputs-group": lambda: Case(
        Architecture(3, "softplus", 1.1, 0.2, 0.9, output_bias=True, centred=True), outputs=2, gamma=(0.5, 0.75)
    ),
    "erf-2-centred": lambda: Case(Architecture(2, "erf", 1.3, 0.2, 0.9, centred=True), alpha=0.5),
    "quadratic-2-widths": lambda: Case(Architecture(2, "quadratic", 0.7, 0.2, 0.6), width=[7, 5]),
    "relu-2-hidden-weights": lambda: Case(Architecture(2, "relu", 1.4, 0.3, 0.9, trained="hidden_weights"), outputs=2),
    "tanh-2-last-layer": lambda: Case(Architecture(2, "tanh", 1.4, 0.3, 0.9, output_bias=True, trained="last_layer")),
    "leaky-2-logistic": lambda: Case(Architecture(2, "leaky_relu", 1.4, 0.3, 0.9), loss="logistic"),
    "abs-2-logistic-outputs": lambda: Case(Architecture(2, "abs", 1.2, 0.3, 0.9), loss="logistic", outputs=2),
    "cos-1-start": lambda: Case(Architecture(1, "cos", 1.3, 0.3, 0.9, output_bias=True), steps=0),
}


@pytest.mark.parametrize("kind", ["networks", "particles"])
def test_every_observable_has_its_function(kind: str) -> None:
    for each in declared(kind).values():
        assert callable(each.function)
        assert each.function.__name__ == (each.name if isinstance(each.measure, str) else "<lambda>")


def test_a_forgotten_cost_is_no_cost_of_nothing() -> None:
    entry: dict[str, Any] = {"kind": "networks", "measure": lambda now, _: now.kernel}
    with pytest.raises(TypeError, match="cost"):
        observable("mine", (), "mine", "a test", **entry)
    with pytest.raises(TypeError, match=r"observable mine: found the cost .*expected ingredients, or FREE"):
        observable("mine", (), "mine", "a test", cost=["kernel"], **entry)  # type: ignore[list-item]
    assert observable("mine", (), "mine", "a test", cost=FREE, **entry).cost == ()


@pytest.mark.parametrize("name", CASES)
def test_every_variable_equals_automatic_differentiation(name: str) -> None:
    case = CASES[name]()
    for found, plain in zip(case.measured(DERIVED), case.plain, strict=True):
        expected, wrong = plain.variables(), plain.wrong().variables()
        assert set(expected) == set(DERIVED)
        blind = []
        for each in DERIVED:
            # What is zero but for rounding is measured against the size of what it is made of.
            if expected[each].nan_to_num().abs().max() < 1e-12:
                assert float(found[each].nan_to_num().abs().max()) < 1e-12, each
                continue
            assert distance(found[each], expected[each]) < 1e-10, each
            if distance(found[each], wrong[each]) < 1e-6:
                blind.append(each)
        assert set(blind) <= OF_SIGNS


def test_float32_remainders_are_those_of_float64() -> None:
    """They nearly cancel, so a run in float32 measures them in float64, at its own rounded parameters."""
    case = Case(Architecture(2, "tanh", 1.3, 0.3, 0.9), width=8, dtype=torch.float32)
    names = ["taylor_second_order", "taylor_quadratic", "linearisation_defect"]
    found, expected = case.measured(names)[0], case.plain[0].variables()
    for name in names:
        assert distance(found[name], expected[name]) < 1e-10, name
    assert case.now.train.forward.outputs.dtype == torch.float32


def test_modes_decay_with_their_sign_and_the_basis_of_the_start() -> None:
    """For a linear model each mode is its start times (1 - eta lambda / N)^n, and no mode starts below 0."""
    case = Case(Architecture(1, "tanh", 1.3, 0.3, 0.9, output_bias=True, trained="last_layer"), steps=5)
    first = Recorder("networks", ["residual_modes", "kernel_eigenvalues"], case.start).measure(case.start)
    assert float(first["residual_modes"].min()) > 0
    decay = (1 - ETA * first["kernel_eigenvalues"] / N) ** 5
    found = case.measured(["residual_modes"])[0]["residual_modes"]
    assert distance(found, decay * first["residual_modes"]) < 1e-12
    assert distance(found, (1 - ETA * first["kernel_eigenvalues"]) ** 5 * first["residual_modes"]) > 0.1


def test_a_linear_model_has_no_remainder_and_follows_omega() -> None:
    names = ["taylor_second_order", "taylor_quadratic", "linearisation_defect", "linear_params_distance"]
    for trained, linear in (("last_layer", True), ("all", False)):
        case = Case(Architecture(2, "tanh", 1.3, 0.3, 0.9, output_bias=True, trained=trained), outputs=2)
        for name, value in case.measured(names)[0].items():
            assert (float(value) < 1e-13) == linear, (trained, name)


def test_effective_rank_counts_equal_eigenvalues() -> None:
    case = Case(Architecture(1, "tanh", 1.3, 0.3, 0.9))
    now = case.now
    for rank in (1, 3, 4):
        now.__dict__["eigenvalues"] = torch.tensor([0.0] * (4 - rank) + [2.0] * rank, dtype=torch.float64)
        assert float(VARIABLES["kernel_effective_rank"].function(now, now)) == pytest.approx(rank)


def test_accuracy_of_classes_needs_one_largest_output() -> None:
    case = Case(Architecture(1, "tanh", 1.3, 0.3, 0.9, centred=True), outputs=2, steps=0)
    assert float(case.measured(["accuracy_train"])[0]["accuracy_train"]) == 0  # all outputs are 0: none is the largest
    y = torch.eye(3, dtype=torch.float64)[[0, 1, 2, 2]]
    now = case.now
    now.problem = Problem(now.problem.train, now.problem.test, y, y[:3], now.problem.cost, ETA)
    now.train.forward.outputs = torch.tensor([[2.0, 1, 0], [2, 1, 0], [0, 1, 2], [0, 2, 2]], dtype=torch.float64)
    assert float(VARIABLES["accuracy_train"].function(now, now)) == 0.5
    now.train.forward.outputs[0, 2] = torch.nan
    assert np.isnan(float(VARIABLES["accuracy_train"].function(now, now)))


def test_projection_knows_the_rank_of_repeated_points() -> None:
    """A point twice spans nothing more; as many points as neurons span everything."""
    a = Architecture(1, "tanh", 1.3, 0.0, 0.9)
    for width, copies in ((40, 2), (N, 1)):
        p = initialise(a, width, D, 0, torch.float64)
        net, x = network(a, p, [0.5], [1.0]), points(N, D, 1)
        shares = []
        for given in (x, torch.cat([x] * copies)):
            y = torch.zeros(len(given), dtype=torch.float64)
            problem = Problem(Inputs.prepare(given, a), Inputs.prepare(x, a), y, y, COSTS["mse"](), ETA)
            moment = Moment(net, problem, 0)
            shares.append(float(VARIABLES["backward_projection"].function(moment, moment)))
            assert bool(VARIABLES["backward_covariance"].function(moment, moment).isnan().all()) == (width == N)
        assert shares[1] == pytest.approx(shares[0] if copies == 2 else 1.0, rel=1e-10)


def test_one_diverged_network_leaves_its_group_alone() -> None:
    case = Case(Architecture(2, "tanh", 1.3, 0.3, 0.9), gamma=(0.5, 0.75))
    clean = case.measured(DERIVED)[0]
    parameters = case.now.layers.parameters.map(torch.clone)
    for tensor in parameters.tensors().values():
        tensor[1] = torch.nan
    net = network(case.now.layers.architecture, parameters, [0.5, 0.75], [1.0, 1.0])
    found = Recorder("networks", DERIVED, case.start).measure(Moment(net, case.now.problem, case.now.step))
    for name, value in found.items():
        assert distance(value[0], clean[name]) < 1e-12, name
        assert name == "activation_flips" or not torch.isfinite(value[1]).any() or name in CONSTANT, name


@pytest.mark.parametrize(("outputs", "biases"), [(1, False), (2, True)])
def test_weights_come_apart_in_their_order(outputs: int, biases: bool) -> None:
    case = Case(Architecture(2, "tanh", 1.3, 0.3 * biases, 0.9, output_bias=biases), outputs=outputs)
    flat = case.measured(["weights"])[0]["weights"].numpy()
    shapes = parameter_shapes((D, 6, 6), outputs, biases=biases, output_bias=biases)
    assert parameter_count(shapes) == flat.size
    padded = np.concatenate([flat, np.full(7, np.nan)])
    parts, expected = unflatten(np.stack([padded, padded]), shapes), case.now.network.parameters.tensors()
    assert list(parts) == list(expected)
    for name, part in parts.items():
        np.testing.assert_array_equal(part[1], expected[name])
    with pytest.raises(ValueError, match="these shapes hold"):
        unflatten(flat[:-1], shapes)


def test_the_hessian_in_blocks_of_points_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(Architecture(3, "tanh", 1.3, 0.3, 0.9), outputs=2, gamma=(0.5, 1.0))
    whole = VARIABLES["hessian_rms"].function(case.now, case.start)
    for numbers in (1, 3 * 2 * 2 * 36):  # one point at a time; three, which do not divide the four
        monkeypatch.setattr(hessian, "_BLOCK_NUMBERS", numbers)
        assert distance(VARIABLES["hessian_rms"].function(case.now, case.start), whole) < 1e-13


def test_dims_are_those_of_the_values() -> None:
    a = Architecture(2, "tanh", 1.3, 0.3, 0.9)
    for outputs in (1, 2):
        case = Case(a, outputs=outputs, gamma=(0.5, 1.0))
        values = Recorder("networks", list(VARIABLES), case.start).measure(case.now)
        extents = {
            "run": 2, "i": N, "j": N, "test": N_TEST, "layer": 3, "layer_other": 3, "hidden": 2, "feature_layer": 3,
            "mode": N * outputs, "output": outputs, "output_other": outputs,
            "parameter": parameter_count(parameter_shapes((D, 6, 6), outputs, biases=True)),
        }  # fmt: skip
        run = Run(a, 6, 0, 0.5, 1.0, "mse", 1.0, (0, 1), "float64", "", tuple(VARIABLES))
        for variable in variables_of(run, outputs):
            shape = tuple(extents[dim] for dim in variable.dims if dim != "record")
            assert tuple(values[variable.name].shape) == shape, variable.name


def test_a_record_costs_what_it_needs_once() -> None:
    sizes = Sizes(n=64, n_test=32, d=20, width=256, depth=3)

    def flops(*names: str) -> float:
        return record_cost([each for name in names for each in VARIABLES[name].cost], sizes).flops

    assert flops("loss_train") == 0 < flops("loss_test")
    assert flops("kernel") == flops("kernel_drift") == flops("kernel", "kernel_drift") > 0
    assert flops("kernel", "kernel_lambda_min", "kernel_lambda_max") == flops("kernel_lambda_max")
    assert flops("kernel", "movement_op") == flops("kernel") + flops("movement_op")
    assert flops("hessian_rms") > 100 * flops("kernel_full")
    several = Sizes(n=64, n_test=32, d=20, width=256, depth=3, outputs=3)
    kernels = [*VARIABLES["kernel"].cost, *VARIABLES["kernel_full"].cost]
    assert record_cost(kernels, several).flops == sum(record_cost([each], several).flops for each in kernels)
    assert record_cost(kernels, several).bytes > 4 * record_cost(kernels, sizes).bytes


def test_the_page_of_observables_names_each_and_only_these() -> None:
    page = (Path(__file__).parents[2] / "docs" / "observables.md").read_text().split("## Of particles")[0]
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    named = re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in rows))
    assert sorted(named) == sorted(VARIABLES)
    by_default = {
        name for row in rows for name in re.findall(r"`(\w+)`", row.split("(default)")[0]) if "(default)" in row
    }
    assert by_default == {name for name, each in VARIABLES.items() if each.by_default}
    dims = {dim for row in rows for dim in re.findall(r"\w+", row.split("|")[2])}
    assert {dim for each in VARIABLES.values() for dim in each.variable.dims[2:]} <= dims


def test_the_plan_adds_up_what_is_chosen(tiny: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Also of a block that comes from a store, whose variables say nothing of what they cost."""
    seconds, memory, bytes_of_runs = [], [], []
    for names in (["loss_train"], ["loss_train", "kernel"], ["loss_train", "kernel", "hessian_rms"]):
        spec = make_spec(tiny(network={"depth": 2}, axes={"width": [16]}, observables=names))
        store = SweepStore(tmp_path / f"{len(names)}.zarr")
        plan = make_plan(spec, store)
        store.claim()
        store.extend(spec, plan.data, plan.new_blocks, {}, plan.code)
        store.release()
        again = make_plan(spec, store)
        assert not again.new_blocks
        costs = [
            (sum(pack.seconds for pack in each.packs(MachineRate(1e6))) / len(each.runs), each.memory_bytes())
            for each in (plan, again)
        ]
        assert costs[0] == costs[1]
        seconds.append(costs[0][0])
        shape = plan.shape(plan.runs[0])
        memory.append(costs[0][1] - shape.held_bytes())
        bytes_of_runs.append(shape.run_bytes())
    sizes = Sizes(n=12, n_test=10, d=64, width=16, depth=2)
    ingredients = [VARIABLES["kernel"].cost, (*VARIABLES["kernel"].cost, *VARIABLES["hessian_rms"].cost)]
    expected = [record_cost(VARIABLES["loss_train"].cost, sizes), *(record_cost(each, sizes) for each in ingredients)]
    assert expected[0].flops == expected[0].bytes == 0
    for cost, more, bytes_, recorded in zip(expected, seconds, memory, bytes_of_runs, strict=True):
        written = 7e-9 * (recorded - bytes_of_runs[0])
        assert more - seconds[0] == pytest.approx(6 * cost.flops / 0.6e6 + written, rel=1e-9)  # six records
        assert bytes_ - memory[0] == int(cost.kept + cost.bytes) - int(expected[0].kept + expected[0].bytes)
    assert seconds[0] < seconds[1] < seconds[2]
    assert memory[0] < memory[1] < memory[2]


@pytest.mark.parametrize("steps", [0, 1, 10**4, 10**7])
@pytest.mark.parametrize("lost", [-1e-17, 0.0, 1e-16, 0.9e-8, 1.1e-8, 1e-3])
def test_sums_of_the_linearised_model_are_right_for_weak_modes(lost: float, steps: int) -> None:
    """The sum of the powers of 1 − lost, in fifty digits; n alone is off by n lost/2."""
    with localcontext() as context:
        context.prec = 50
        exact = (1 - (1 - Decimal(lost)) ** steps) / Decimal(lost) if lost else Decimal(steps)
    decay = torch.tensor(1 - lost, dtype=torch.float64) ** steps
    found = summed_powers(torch.tensor(lost, dtype=torch.float64), decay, steps)
    # A power of a number near 1 loses digits where lost is just above the threshold.
    assert float(found) == pytest.approx(float(exact), rel=1e-7)
