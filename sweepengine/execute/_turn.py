"""Training of a turn: the runs of a chunk that are advanced together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.networks import (
    COSTS,
    Inputs,
    Law,
    Parameters,
    Passes,
    Workspace,
    from_arrays,
    initialise,
    learning_rates,
    loss,
    network,
    stack,
)
from sweepengine.observe import variables_of
from sweepengine.observe.measure import Moment, Problem, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from sweepengine.spec import Run

DIVERGED_FACTOR = 1e6
"""A run whose training loss passes this many times its start (or the loss of f = 0) has diverged."""


@dataclass(frozen=True)
class Data:
    """The arrays of one sweep.

    Attributes
    ----------
    x_train, x_test : Tensor, shapes (N, d) and (N_test, d)
        In the precision of the runs.
    y_train, y_test : Tensor, shapes (N [, k]) and (N_test [, k])
    weights : mapping of ndarray or None
        Parameters at t = 0, float64, where they are given and not drawn.
    """

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    weights: Mapping[str, NDArray[np.float64]] | None = None

    @property
    def outputs(self) -> int:
        """Number of outputs k."""
        return self.y_train.shape[1] if self.y_train.dim() == 2 else 1


@dataclass(frozen=True)
class Record:
    """The values of one record.

    Attributes
    ----------
    index : int
    values : list of dict
        For each run of the turn its variables; None for a run that has diverged before.
    """

    index: int
    values: list[dict[str, NDArray[np.floating]] | None]


class Turn:
    """R runs of one block, trained together from where they are.

    Parameters
    ----------
    runs : list of Run
        Alike in all but seed, γ and α. With one run every product is a plain matrix product, which keeps its bits
        whatever pack it is in.
    data : Data
    state : mapping of ndarray, optional
        What :meth:`state` gave; without it the runs start at t = 0.
    """

    def __init__(self, runs: list[Run], data: Data, state: Mapping[str, NDArray[np.generic]] | None = None) -> None:
        first = runs[0]
        self.runs, self._first = runs, first
        architecture = first.architecture
        rates = learning_rates(architecture.trained, architecture.depth)
        initial = stack([_initial(run, data) for run in runs])
        gamma, alpha = [run.gamma for run in runs], [run.alpha for run in runs]
        train, test = (Inputs.prepare(x, architecture) for x in (data.x_train, data.x_test))
        start = network(architecture, initial, gamma, alpha, rates)
        if architecture.centred:
            train, test = start.centre(train), start.centre(test)
        self._problem = Problem(train, test, data.y_train, data.y_test, COSTS[first.loss](), first.step_size)
        moment = Moment(start, self._problem, step=0)
        names = [variable.name for variable in variables_of(first.observables)]
        self._recorder = Recorder(names, moment)
        outputs = moment.train.forward.outputs
        losses = [self._loss(each) for each in (outputs, torch.zeros_like(outputs))]
        self._limit = DIVERGED_FACTOR * torch.maximum(*losses).reshape(-1)
        self.step, self.due = 0, 0
        self.diverged_step = np.full(len(runs), -1, dtype=np.int64)
        parameters = initial.map(torch.clone)
        if state is not None:
            self.step, self.due = int(state["step"]), int(state["due"])
            self.diverged_step = np.array(state["diverged_step"], dtype=np.int64)
            parameters = _restored(parameters, state)
        self._network = network(architecture, parameters, gamma, alpha, rates)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything that a resume needs, as arrays."""
        tensors = {name: tensor.numpy() for name, tensor in self._network.parameters.tensors().items()}
        return tensors | {"step": np.array(self.step), "due": np.array(self.due), "diverged_step": self.diverged_step}

    def advance(self) -> Iterator[Record | None]:
        """Train to the end, or until every run has diverged.

        Yields
        ------
        Record or None
            A record when one is due, the first first; None after each step. Whenever it yields, :meth:`state` holds
            what continues from there.
        """
        steps, space = self._first.record_steps, Workspace()
        problem = self._problem
        while self.due < len(steps):
            forward = self._network.forward(problem.train, space)
            self._find_diverged(forward.outputs)
            if (self.diverged_step >= 0).all():
                return
            signals = None  # a step that records nothing makes its own, in less memory and with the same bits
            if self.step == steps[self.due]:
                signals = self._network.backward(forward, space)
                passes = Passes(problem.train, forward, signals)
                values = self._recorder.measure(Moment(self._network, problem, self.step, passes))
                self.due += 1
                yield Record(self.due - 1, self._values(values))
            if self.step < steps[-1]:
                residual = problem.cost.gradient(forward.outputs, problem.y_train)
                self._network.descend(problem.train, forward, signals, residual, problem.step_size, workspace=space)
                self.step += 1
                yield None

    def _loss(self, outputs: torch.Tensor) -> torch.Tensor:
        """Training loss of each run, from outputs ([R,] N [, k])."""
        targets = self._problem.y_train
        return loss(self._problem.cost, outputs, targets, output_dim=targets.dim() == 2)

    def _find_diverged(self, outputs: torch.Tensor) -> None:
        value = self._loss(outputs).reshape(-1)
        bad = ~((value <= self._limit) & torch.isfinite(value)).numpy() & (self.diverged_step < 0)
        self.diverged_step[bad] = self.step

    def _values(self, values: dict[str, torch.Tensor]) -> list[dict[str, NDArray[np.floating]] | None]:
        single = len(self.runs) == 1
        rows = {name: (value.unsqueeze(0) if single else value).numpy() for name, value in values.items()}
        return [
            {name: row[place] for name, row in rows.items()} if step < 0 else None
            for place, step in enumerate(self.diverged_step)
        ]


def _initial(run: Run, data: Data) -> Parameters:
    """Parameters of a run at t = 0: given, or drawn."""
    architecture, dtype = run.architecture, getattr(torch, run.precision)
    if data.weights is not None:
        return from_arrays(data.weights, architecture, dtype)
    law = Law(architecture.first_layer, architecture.readout)
    widths, d = architecture.widths(run.width), data.x_train.shape[1]
    return initialise(architecture, widths, d, run.seed, dtype, outputs=data.outputs, law=law)


def _restored(parameters: Parameters, state: Mapping[str, NDArray[np.generic]]) -> Parameters:
    """Parameters with the values of a state."""
    for name, tensor in parameters.tensors().items():
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(state[name])))
    return parameters
