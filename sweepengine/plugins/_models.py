"""Models of users: a torch module of one's own that a sweep can name (docs/plugins.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sweepengine.errors import shown
from sweepengine.plugins._registry import find, meant, register

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    Law = Callable[[str, Tensor], Tensor]


class Build(Protocol):
    """A callable that makes a module of a width; a class whose constructor takes these arguments serves as well."""

    def __call__(self, width: int, inputs: int, outputs: int) -> nn.Module:
        """A module that maps points (N, inputs) to (N, outputs), or to (N,) for one output."""
        ...


_B = TypeVar("_B", bound="Callable[..., Any]")


@dataclass(frozen=True)
class UserModel:
    """A registered model.

    Attributes
    ----------
    name, version : str
    build : callable
        See :class:`Build`.
    law : callable or None
        Takes a parameter's name and independent N(0, 1) numbers of its shape, and returns the parameter's initial
        value. None: the numbers are the initial value.
    """

    name: str
    version: str
    build: Build
    law: Law | None = None


def register_model(*, name: str, version: str = "1", law: Law | None = None) -> Callable[[_B], _B]:
    """Let specs name a model of one's own: ``network: {model: <name>}``.

    The network is f(x) = α m^{-γ} module(x) with m the swept width, trained by θ̇ = −(m^{2γ−1}/α²) ∇R(θ)
    (theory.md §1.7), so f has the same kernel ⟨∂module, ∂module⟩/m in every scaling. The module may use its parameters
    as it likes. To have an infinite-width limit at γ = 1/2, its output must be a sum over m neurons with parameters
    N(0, 1), not divided by √m.

    Parameters
    ----------
    name : str
        Small letters, digits and ``_``.
    version : str
        Part of every run's id. Change it whenever the numbers change; other code under the same version is refused.
    law : callable, optional
        ``law(parameter_name, gaussians) -> Tensor`` returns the initial value of a parameter. ``gaussians`` are
        independent N(0, 1) numbers of the parameter's shape, float64, which depend on the run's seed alone. Without a
        law the parameters are these numbers.

    Returns
    -------
    decorator
        For ``build(width, inputs, outputs) -> torch.nn.Module``: ``inputs`` is d, points come as (N, d), and the module
        returns (N, outputs), or (N,) for one output. Each output row depends on its own point alone.

    Raises
    ------
    SpecError
        The name or the version is not allowed, or they stand for other code already.
    """

    def decorate(build: _B) -> _B:
        register("model", name, version, UserModel(name, version, build, law), build)
        return build

    return decorate


def canonical_model(name: str) -> str:
    """``name@version`` of the model that a spec names.

    Raises
    ------
    SpecError
        No model of this name is registered.
    """
    return meant("model", name, f"network.model: found {shown(name)}").key


def model_of(key: str) -> UserModel:
    """The registered model of a ``name@version``. Raises :class:`SpecError` if there is none."""
    model: UserModel = find("model", key).content
    return model
