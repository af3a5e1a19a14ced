"""Plugin files, specs that use them, and a registry that holds nothing."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sweepengine
from sweepengine.plugins import _registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Tiny = Callable[..., dict[str, Any]]


JOBS = Path(__file__).parents[2] / "jobs"


OBSERVABLES = '''
"""Two observables."""
import torch
from sweepengine import register_observable


@register_observable(name="outputs_histogram", dims=("bin",), sizes={"bin": 4}, long_name="share of outputs in a bin")
def histogram(now, start):
    outputs = now.train.forward.outputs
    return torch.histc(outputs, bins=4, min=-2, max=2).to(torch.float64) / len(outputs)


@register_observable(name="distance", dims=("i",), long_name="distance of outputs from the start", version="VERSION")
def distance(now, start):
    return (now.train.forward.outputs - start.train.forward.outputs).abs()
'''
TWIN = '''
"""The fully connected network of tiny, as a module of one's own."""
import math
import torch
import sweepengine


@sweepengine.register_model(name="twin", law=lambda name, gaussians: gaussians)
class Twin(torch.nn.Module):
    def __init__(self, width, inputs, outputs):
        super().__init__()
        self.hidden = torch.nn.Parameter(torch.empty(width, inputs))
        self.readout = torch.nn.Parameter(torch.empty((width, outputs)[: 1 + (outputs > 1)]))

    def forward(self, x):
        return FACTOR * torch.tanh(1.4 / math.sqrt(x.shape[1]) * x @ self.hidden.T) @ self.readout
'''
MODEL: dict[str, Any] = {
    "name": "own",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 12, "n_test": 10},
    "network": {"model": "twin"},
    "training": {"loss": "mse", "step_size": 0.25, "time": 5.0, "records": {"spacing": "log", "count": 6}},
    "axes": {"scaling": ["ntk", 0.8], "width": [8, 16], "seed": 2, "alpha": [1.0, 3.0]},
    "precision": "float64",
}


def plugin(tmp_path: Path, text: str, name: str = "plugin.py", version: str = "1") -> str:
    path = tmp_path / name
    path.write_text(text.replace("VERSION", version).replace("FACTOR", "1.4"))
    return str(path)


def observing(tiny: Tiny, *names: str, **changes: Any) -> dict[str, Any]:
    return tiny(**changes) | {"observables": ["loss_train", "outputs_train", *names]}


def loaded(content: dict[str, Any], store: Path, plugins: list[str]) -> Any:
    sweepengine.run(content, store, executor="inline", plugins=plugins)
    return sweepengine.open_sweep(store).load()


def fresh_registry() -> None:
    """Forget all that this process has registered."""
    _registry._REGISTRY = _registry._Registry()


@contextmanager
def own_registry() -> Iterator[None]:
    """Within it this process has registered nothing yet; what is registered there is forgotten afterwards."""
    before = _registry._REGISTRY
    fresh_registry()
    try:
        yield
    finally:
        _registry._REGISTRY = before
