"""Steps that are recorded once and replayed: on a GPU one launch for a step in place of one for each small operation.

A recording holds operations and the addresses that they read and write. So it repeats a step only if all steps are
alike: the host neither reads nor makes a number within a step, and the state stays at its addresses. This is checked:
before a recording is used, it is replayed from the state in which it was made, and must do what the steps do.
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
"""Steps before a recording is made, so that libraries have allocated what they need (torch.cuda.graphs asks for it)."""
CHECKED = 2
"""Steps that are compared. A single step would not show a number that the host changes from step to step."""


class Stepping(Protocol):
    """An object whose steps can be recorded."""

    def compute(self) -> None:
        """Do the part of a step that runs on the device."""

    def count(self) -> None:
        """Do the part of a step that runs on the host, after :meth:`compute`."""

    def state(self) -> State:
        """Return everything that carries over from step to step; the arrays may be views."""

    def restore(self, state: State) -> None:
        """Go back to a state, in the same memory."""


def recorded(stepping: Stepping, record: Callable[[Recording], Recording], runs: int) -> Recording:
    """Record a step, and check that the recording repeats it.

    Parameters
    ----------
    stepping : Stepping
        The object whose step is recorded; afterwards it is in the state in which it was before.
    record : callable
        Returns a recording of a function, such as :func:`cuda_graph` does; it may call the function.
    runs : int
        Number of runs R. With R > 1 the first axis of every array of a state is over runs, compared one by one.

    Returns
    -------
    callable
        The recording, which does what ``stepping.compute`` does.

    Raises
    ------
    RunError
        Replayed steps differ from the steps themselves by more than rounding.
    """
    start = _copied(stepping.state())
    expected = _after(stepping, stepping.compute, start)
    replay = record(stepping.compute)
    replayed = _after(stepping, replay, start)
    stepping.restore(start)
    for name in expected:
        if not _agree(start, expected, replayed, name, runs):
            raise RunError(
                f"cuda_graphs: the recorded step does not repeat the step: {name} differs after {CHECKED} steps; "
                "run without cuda_graphs, and please report this"
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


def _agree(start: State, expected: State, replayed: State, name: str, runs: int) -> bool:
    """Return whether an array has moved alike, in each run, under the steps and under their replay.

    The two may differ by √eps of the array's own move, and by the rounding error of the array and of the largest move
    among all arrays: a small sum of large numbers of both signs has no more digits.
    """
    if not _is_numbers(expected[name]):
        return np.array_equal(expected[name], replayed[name])
    eps = float(np.finfo(expected[name].dtype).eps)
    with np.errstate(all="ignore"):  # diverged runs hold infinities and NaN
        moves = {key: _norms(values - start[key], runs) for key, values in expected.items() if _is_numbers(values)}
        rounding = 16 * eps * (_norms(start[name], runs) + np.max(list(moves.values()), axis=0))
        apart = _difference(expected[name], replayed[name]).reshape(runs, -1)
        return bool((np.linalg.norm(apart, axis=1) <= eps**0.5 * moves[name] + rounding).all())


def _is_numbers(values: NDArray[Any]) -> bool:
    return values.ndim > 0 and np.issubdtype(values.dtype, np.floating)


def _difference(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Return b − a, and 0 where both are the same infinity or both are NaN."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0.0, b - a).astype(np.float64)


def _norms(values: NDArray[Any], runs: int) -> NDArray[np.float64]:
    """Return the norm of the finite numbers of each run, shape (R,)."""
    rows = values.astype(np.float64).reshape(runs, -1)
    return np.asarray(np.linalg.norm(np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0), axis=1))


class Kept(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps alive every array that existed before the recording and that a recorded operation reads or writes.

    A CUDA graph knows addresses only: if such an array were freed, another array could take its memory. Kernels of
    Triton are not seen here; they read parameters, which the turn holds, and arrays that a recorded product has
    written.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.arrays: dict[int, torch.Tensor] = {}
        self._made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do the operation, and note the arrays that go in and come out."""
        result = func(*args, **(kwargs or {}))
        for place, tensor in _places((args, kwargs)):
            if place not in self._made:
                self.arrays.setdefault(place, tensor)
        self._made.update(place for place, _ in _places(result) if place not in self.arrays)
        return result


def _places(values: Any) -> list[tuple[int, torch.Tensor]]:
    """Return (address of its memory, tensor) for each tensor in a tree of values."""
    tensors = (leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor))
    return [(tensor.untyped_storage().data_ptr(), tensor) for tensor in tensors]


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
