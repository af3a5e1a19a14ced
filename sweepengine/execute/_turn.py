"""Training of a turn: the runs of a chunk that are advanced together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from sweepengine.execute._data import Data, Record
from sweepengine.execute._divergence import Divergence
from sweepengine.execute._graph import cuda_graph, recorded
from sweepengine.execute._start import network_start
from sweepengine.networks import (
    COSTS,
    Now,
    Passes,
    Points,
    Training,
    Workspace,
    loss,
    stepper,
)
from sweepengine.observe.measure import Moment, Problem, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from sweepengine.execute._graph import Recording
    from sweepengine.execute._shards import Shards
    from sweepengine.spec import Run
    from sweepengine.store import BlockShape

DIVERGED_FACTOR = 1e6
"""A run whose training loss passes this many times its start (or the loss of f = 0) has diverged."""
LOOKS = 64
"""Most steps between two readings of which runs have diverged. A reading waits for the device; until it, a diverged run
is advanced in vain."""


class NetworkTurn:
    """R runs of one block, trained together from where they are.

    Parameters
    ----------
    runs : list of Run
        Alike in all but seed, γ and α. With one run every product is a plain matrix product, which keeps its bits
        whatever pack it is in. One run where the method's steps cannot be shared.
    data : Data
    state : mapping of ndarray, optional
        What :meth:`state` gave; without it the runs start at t = 0.
    record : callable, optional
        Makes recordings of steps, for methods of which every step is alike: see :func:`recorded`. Steps that store
        nothing are then replayed.
    """

    start_of = staticmethod(network_start)

    def __init__(
        self,
        runs: list[Run],
        data: Data,
        state: Mapping[str, NDArray[np.generic]] | None = None,
        record: Callable[[Recording], Recording] | None = None,
    ) -> None:
        first = runs[0]
        self.runs, self._first = runs, first
        architecture = first.architecture
        start = self.start_of(runs, data)
        train, test = data.inputs(architecture)
        if architecture.centred:
            train, test = start.centre(train), start.centre(test)
        self._problem = Problem(
            train, test, data.y_train, data.y_test, COSTS[first.loss](), first.step_size, first.method
        )
        moment = Moment(start, self._problem, step=0)
        self._recorder = Recorder(first.kind, first.observables, moment)
        outputs = moment.train.forward.outputs
        losses = self._loss(torch.stack([outputs, torch.zeros_like(outputs)]), data.y_train)
        limit = DIVERGED_FACTOR * losses.amax(0).reshape(-1)
        self._divergence = Divergence(limit, data.y_train, self._loss)
        self.step: float = 0
        self.due = 0
        self.diverged_step = np.full(len(runs), -1, dtype=np.int64)
        self._network = start.copy()
        self._all_points = Points(train, data.y_train)
        self._space = Workspace()
        training = Training(self._network, self._all_points, self._problem.cost, first.step_size, self._space)
        self._stepper = stepper(first.method, training, first.seed)
        self._record = record
        self._replay: Recording | None = None
        self._stepped = outputs
        if state is not None:
            self.restore(state)

    @property
    def patience(self) -> int:
        """Steps between two readings of which runs have diverged: 1 where the host chooses steps by what it reads."""
        return LOOKS if self._first.method.tolerance is None else 1

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything that a resume needs, as arrays."""
        self.diverged_step = self._divergence.read()
        tensors = {name: tensor.cpu().numpy() for name, tensor in self._network.parameters.tensors().items()}
        place = {"step": np.array(self.step), "due": np.array(self.due), "diverged_step": self.diverged_step}
        return tensors | self._stepper.state() | place

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from what :meth:`state` gave."""
        self.step, self.due = state["step"].item(), int(state["due"])
        self.diverged_step = np.array(state["diverged_step"], dtype=np.int64)
        self._divergence.restore(self.diverged_step)
        for name, tensor in self._network.parameters.tensors().items():
            tensor.copy_(torch.from_numpy(np.array(state[name])))
        self._stepper.restore(state)

    def advance(self) -> Iterator[Record | None]:
        """Train to the end, or until every run has diverged.

        Yields
        ------
        Record or None
            A record when one is due, the first first; None after each step. Whenever it yields, :meth:`state` holds
            what continues from there.
        """
        steps, problem, patience = self._first.record_steps, self._problem, self.patience
        while self.due < len(steps):
            is_due = self.step == steps[self.due]
            if self._record is not None and not is_due:
                if self._replay is None:
                    self._replay = recorded(self, self._record, len(self.runs))
                self._replay()
                self.count()
                if self._divergence.unread >= patience and self._all_diverged():
                    return
                yield None
                continue
            points = self._all_points if is_due else self._stepper.points(self.step)
            forward = self._network.forward(points.inputs, self._space)
            self._divergence.look(self.step, forward.outputs, points.targets)
            if (is_due or self._divergence.unread >= patience) and self._all_diverged():
                return
            signals = None  # a step that records nothing makes its own, in less memory and with the same bits
            if is_due:
                # At t = 0 too it is not the start's own moment, which would keep for ever what only this record needs.
                signals = self._network.backward(forward, self._space)
                passes = Passes(problem.train, forward, signals)
                moment = Moment(self._network, problem, int(self.step), passes, self._stepper.report())
                values = self._recorder.measure(moment)
                self.due += 1
                yield Record(self.due - 1, self._values(values))
                if self.due == len(steps) or self._stepper.points(self.step) is not points:
                    continue  # a minibatch has passes of its own
            self.step = self._stepper.step(Now(self.step, points, forward, signals), steps[self.due])
            yield None

    def compute(self) -> None:
        """A step that stores nothing, where all are alike: what the device does."""
        points = self._all_points
        forward = self._network.forward(points.inputs, self._space)
        self._stepped = forward.outputs
        self._stepper.step(Now(self.step, points, forward), self._first.n_steps)

    def count(self) -> None:
        """The same step: what the host does. A recording writes the next outputs in the place of these."""
        self._divergence.look(self.step, self._stepped.clone(), self._all_points.targets)
        self.step += 1

    def _all_diverged(self) -> bool:
        self.diverged_step = self._divergence.read()
        return bool((self.diverged_step >= 0).all())

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Loss of each run, from outputs ([steps,] [R,] N [, k])."""
        return loss(self._problem.cost, outputs, targets, output_dim=targets.dim() == 2)

    def _values(self, values: dict[str, torch.Tensor]) -> list[dict[str, NDArray[np.floating]] | None]:
        rows = {name: value.cpu().numpy() for name, value in values.items()}
        if len(self.runs) == 1:
            return [rows]
        return [
            {name: row[place] for name, row in rows.items()} if step < 0 else None
            for place, step in enumerate(self.diverged_step)
        ]


def network_turn(
    runs: list[Run],
    data: Data,
    state: Mapping[str, NDArray[np.generic]] | None,
    shape: BlockShape,  # noqa: ARG001 -- of whole runs
    shards: Shards,  # noqa: ARG001 -- networks are not divided
    *,
    cuda_graphs: bool,
) -> NetworkTurn:
    """Networks that are trained together; see :class:`sweepengine.execute.MakeTurn`."""
    return NetworkTurn(runs, data, state, cuda_graph if cuda_graphs else None)
