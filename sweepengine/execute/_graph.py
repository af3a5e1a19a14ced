"""Steps recorded once and replayed: on a GPU one launch in place of one for every small operation.

A recording is of operations and of the memory that they read and write, so it repeats a step truly only if a step is
alike every time: no number on the way is read by the host or made by it, and what carries over stays where it is. That
is checked, not believed: before it is used a recording is replayed from the state in which it was made and must do what
the steps do without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sweepengine.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    State = Mapping[str, NDArray[Any]]
    Recording = Callable[[], object]

WARM_UP = 3
"""Steps before a recording is made, so that libraries have what they allocate at first use (as torch.cuda.graphs asks)."""
CHECKED = 2
"""Steps that are compared: with one, a number of the host's that changes from step to step would not be seen."""


class Stepping(Protocol):
    """What has steps to be recorded."""

    def compute(self) -> None:
        """What a step does on the device."""

    def count(self) -> None:
        """What it does on the host, after that."""

    def state(self) -> State:
        """Everything that carries over from step to step; may be views."""

    def restore(self, state: State) -> None:
        """Go back to a state, in the same memory."""


def recorded(stepping: Stepping, record: Callable[[Recording], Recording], runs: int) -> Recording:
    """Record a step, and check that it is one.

    Parameters
    ----------
    stepping : Stepping
        As it is when this begins, so it is when this ends.
    record : callable
        Makes a recording of a function; :func:`cuda_graph` where there is a GPU. May call the function.
    runs : int
        R; with R > 1 arrays of a state begin with the dim R, and runs are compared one by one.

    Returns
    -------
    callable
        Does what ``stepping.compute`` does.

    Raises
    ------
    RunError
        Replayed steps differ from the steps themselves by more than rounding.
    """
    start = _copied(stepping.state())
    expected = _after(stepping, stepping.compute, start)
    replay = record(stepping.compute)
    found = _after(stepping, replay, start)
    stepping.restore(start)
    for name in expected:
        if not _agree(start, expected, found, name, runs):
            raise RunError(
                f"cuda_graphs: the recorded step does not repeat the step: {name} differs after {CHECKED} steps; run without "
                "cuda_graphs, and please report this"
            )
    return replay


def _after(stepping: Stepping, step: Recording, start: State) -> State:
    stepping.restore(start)
    for _ in range(CHECKED):
        step()
        stepping.count()
    return _copied(stepping.state())


def _copied(state: State) -> State:
    return {name: np.array(values) for name, values in state.items()}


def _agree(start: State, expected: State, found: State, name: str, runs: int) -> bool:
    """Whether an array moved alike in each run.

    By half of the digits of its own move, and to rounding of itself and of the largest move: a small sum of large numbers
    of both signs keeps no more.
    """
    if not _is_numbers(expected[name]):
        return np.array_equal(expected[name], found[name])
    eps = float(np.finfo(expected[name].dtype).eps)
    with np.errstate(all="ignore"):  # runs that have diverged are no numbers
        moves = {each: _norms(values - start[each], runs) for each, values in expected.items() if _is_numbers(values)}
        rounding = 16 * eps * (_norms(start[name], runs) + np.max(list(moves.values()), axis=0))
        apart = _difference(expected[name], found[name]).reshape(runs, -1)
        return bool((np.linalg.norm(apart, axis=1) <= eps**0.5 * moves[name] + rounding).all())


def _is_numbers(values: NDArray[Any]) -> bool:
    return values.ndim > 0 and np.issubdtype(values.dtype, np.floating)


def _difference(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """What is between two arrays, and 0 where both are the same infinity or no number."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0.0, b - a).astype(np.float64)


def _norms(values: NDArray[Any], runs: int) -> NDArray[np.float64]:
    """Norm of the finite numbers of each run's part."""
    rows = values.astype(np.float64).reshape(runs, -1)
    return np.asarray(np.linalg.norm(np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0), axis=1))


class Kept(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Holds every array that was there before and that an operation reads or writes.

    A CUDA graph knows addresses only: an array that it uses and that somebody drops would become another's memory. Kernels
    of Triton are not seen: they read parameters, which the turn holds, and arrays that a product has written before.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.arrays: dict[int, torch.Tensor] = {}
        self._made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note what goes in and what comes out."""
        result = func(*args, **(kwargs or {}))
        for place, each in _places((args, kwargs)):
            if place not in self._made:
                self.arrays.setdefault(place, each)
        self._made.update(place for place, _ in _places(result) if place not in self.arrays)
        return result


def _places(values: Any) -> list[tuple[int, torch.Tensor]]:
    """The address of the memory of each tensor within."""
    tensors = (each for each in tree_leaves(values) if isinstance(each, torch.Tensor))
    return [(each.untyped_storage().data_ptr(), each) for each in tensors]


@dataclass(frozen=True)
class _CudaGraph:
    graph: torch.cuda.CUDAGraph
    kept: Kept

    def __call__(self) -> None:
        self.graph.replay()


def cuda_graph(step: Recording) -> Recording:
    """Record a function as a CUDA graph, after a warm-up on a stream of its own; never run on a GPU so far."""
    stream, here = torch.cuda.Stream(), torch.cuda.current_stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(here)
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    here.wait_stream(stream)
    graph, kept = torch.cuda.CUDAGraph(), Kept()
    with torch.cuda.graph(graph, stream=stream), kept:
        step()
    return _CudaGraph(graph, kept)
