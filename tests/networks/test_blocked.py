"""Kernels in blocks: equal to the whole, within their budget."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sweepengine.errors import RunError
from sweepengine.networks import Inputs, Network, blocked_kernel, initialise, network, stack
from sweepengine.networks._blocked import block_bytes
from sweepengine.spec import Architecture
from tests.support.networks_reference import points, relative

if TYPE_CHECKING:
    from sweepengine.networks import Layout


class Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes that tensors made inside hold at once, each storage once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(each, torch.Tensor):
                self._watch(each)
        return result

    def _watch(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage.data_ptr()
        # Counted by tensors that use a storage: it is free when the last of them is.
        self._known[key] = self._known.get(key, 0) + 1
        if self._known[key] == 1:
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
        weakref.finalize(tensor, self._forget, key, storage.nbytes())

    def _forget(self, key: int, size: int) -> None:
        self._known[key] -= 1
        if self._known[key] == 0:
            del self._known[key]
            self.now -= size


def make(outputs: int, group: bool, activation: str = "gelu", width: int = 12) -> tuple[Network, Architecture]:
    a = Architecture(2, activation, 1.2, 0.3, 0.9, output_bias=True)
    each = [
        initialise(a, [width, width + 3], 4, seed, torch.float64, outputs=outputs) for seed in range(2 if group else 1)
    ]
    return network(a, stack(each), [0.5, 0.8][: len(each)], [1.0, 2.0][: len(each)]), a


@pytest.mark.parametrize("layout", ["full", "traced"])
@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
def test_blocked_equals_full(outputs: int, group: bool, layout: Layout) -> None:
    net, a = make(outputs, group)
    train, test = (Inputs.prepare(points(n, 4, n), a) for n in (11, 7))
    whole = net.kernel(*net.passes(train), layout=layout)
    cross = net.kernel(*net.passes(test), against=net.passes(train), layout=layout)
    for size in (1, 3, 4, 10, 11, 50):
        budget = block_bytes(net, size, layout)
        assert relative(blocked_kernel(net, train, budget, layout=layout), whole) < 1e-13
        assert relative(blocked_kernel(net, test, budget, against=train, layout=layout), cross) < 1e-13
    assert torch.equal(blocked_kernel(net, train, 2**40, layout=layout), whole)


@pytest.mark.parametrize("activation", ["relu", "gelu", "softplus"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_budget_holds(outputs: int, activation: str) -> None:
    net, a = make(outputs, False, activation, 200)
    inputs = Inputs.prepare(points(64, 4), a)

    def peak(budget: int) -> int:
        with Peak() as watched:
            result = blocked_kernel(net, inputs, budget)
        return int(watched.peak - result.untyped_storage().nbytes())

    for size in (4, 16, 31):
        budget = block_bytes(net, size)
        used = peak(budget)
        assert used <= budget
        assert used > budget / 3  # and it is used: the estimate is no idle bound
    assert peak(2**40) > block_bytes(net, 16)


def test_a_budget_for_less_than_a_point_is_refused() -> None:
    net, a = make(1, False)
    with pytest.raises(RunError, match="memory_budget: 100 bytes"):
        blocked_kernel(net, Inputs.prepare(points(3, 4), a), 100)
