"""Users' parts of particle sweeps: potentials, kernels and units (docs/plugins.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sweepengine.errors import RunError, shown, users_code
from sweepengine.plugins._registry import find, meant, register

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Potential = Callable[[Tensor], Tensor]
    Kernel = Callable[[Tensor, Tensor], Tensor]

TermKind = Literal["potential", "kernel", "unit"]
_F = TypeVar("_F", bound="Callable[..., Any]")


@dataclass(frozen=True)
class UserTerm:
    """A registered potential, kernel or unit.

    Attributes
    ----------
    name, version : str
    function : callable
    """

    name: str
    version: str
    function: Callable[..., Tensor]


def register_potential(*, name: str, version: str = "1") -> Callable[[_F], _F]:
    """Let specs of particles name a potential V of one's own: ``{term: potential, name: <name>}`` is ∫V dμ.

    Parameters
    ----------
    name : str
        Small letters, digits and ``_``.
    version : str
        Part of every run's id. Change it whenever the numbers change; other code under the same version is refused.

    Returns
    -------
    decorator
        For ``function(points) -> Tensor``, which maps points (n, p) to their values V, shape (n,). Each value must be a
        function of its own point alone. The gradient is taken by automatic differentiation.

    Raises
    ------
    SpecError
        The name or the version is not allowed, or they stand for other code already.
    """
    return _registering("potential", name, version)


def register_kernel(*, name: str, version: str = "1") -> Callable[[_F], _F]:
    """Let specs of particles name a kernel W of one's own: ``{term: kernel, name: <name>}`` is ½∬W dμdμ.

    Parameters
    ----------
    name, version : str
        As for :func:`register_potential`.

    Returns
    -------
    decorator
        For ``function(points, others) -> Tensor``, which maps points (n, p) and others (k, p) to the matrix of W, shape
        (n, k). W must be symmetric. Its gradient in the first argument is taken by automatic differentiation.

    Raises
    ------
    SpecError
        As for :func:`register_potential`.
    """
    return _registering("kernel", name, version)


def register_unit(*, name: str, version: str = "1") -> Callable[[_F], _F]:
    """Let specs of particles name a unit ψ of one's own: ``unit: {name: <name>, coordinates: p}``.

    The network of a measure μ is then f_μ(x) = ∫ψ(θ; x) dμ(θ).

    Parameters
    ----------
    name, version : str
        As for :func:`register_potential`.

    Returns
    -------
    decorator
        For ``function(particles, inputs) -> Tensor``, which maps particles (n, p) and inputs (N, d) to ψ(θ_k; x_i),
        shape (n, N). Each row must be a function of its own particle alone. The gradient in θ is taken by automatic
        differentiation.

    Raises
    ------
    SpecError
        As for :func:`register_potential`.
    """
    return _registering("unit", name, version)


def canonical_term(kind: TermKind, name: str) -> str:
    """``name@version`` of the term that a spec names. Raises :class:`SpecError` if nobody has registered it."""
    return meant(kind, name, f"functional.terms: found the {kind} {shown(name)}").key


def canonical_unit(name: str) -> str:
    """``name@version`` of the unit that a spec names. Raises :class:`SpecError` if nobody has registered it."""
    return meant("unit", name, f"unit.name: found {shown(name)}").key


def term_function(kind: TermKind, key: str) -> Callable[..., Tensor]:
    """The function of the term or unit ``name@version``. An error that it raises becomes a RunError that names it."""
    import torch

    term: UserTerm = find(kind, key).content

    def called(*clouds: Tensor) -> Tensor:
        with users_code(f"{kind} {key}: it"):
            values: Any = term.function(*clouds)
        if not isinstance(values, torch.Tensor) or not values.is_floating_point():
            what = values.dtype if isinstance(values, torch.Tensor) else type(values).__name__
            raise RunError(f"{kind} {key}: found {what}; return a floating-point torch.Tensor")
        return values

    return called


def _registering(kind: TermKind, name: str, version: str) -> Callable[[_F], _F]:
    def decorate(function: _F) -> _F:
        register(kind, name, version, UserTerm(name, version, function), function)
        return function

    return decorate
