"""What users make particle sweeps of: potentials, kernels and units (docs/plugins.md)."""

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
        For ``function(points) -> Tensor``: points (n, p) to V, shape (n,), each a function of its own point alone; its
        gradient is taken by automatic differentiation.

    Raises
    ------
    SpecError
        The name cannot be one, or this name and version stands for other code.
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
        For ``function(points, others) -> Tensor``: points (n, p) and others (k, p) to W, shape (n, k), symmetric; its
        gradient in the first argument is taken by automatic differentiation.

    Raises
    ------
    SpecError
        As for :func:`register_potential`.
    """
    return _registering("kernel", name, version)


def register_unit(*, name: str, version: str = "1") -> Callable[[_F], _F]:
    """Let specs of particles name a unit ψ of one's own: ``unit: {name: <name>, coordinates: p}``, f_μ(x) = ∫ψ(θ; x) dμ.

    Parameters
    ----------
    name, version : str
        As for :func:`register_potential`.

    Returns
    -------
    decorator
        For ``function(particles, inputs) -> Tensor``: particles (n, p) and inputs (N, d) to ψ(θ_k; x_i), shape (n, N),
        each row a function of its own particle; its gradient in θ is taken by automatic differentiation.

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
    """The function of a term's or unit's ``name@version``; what it raises comes as a RunError that names it."""
    import torch

    term: UserTerm = find(kind, key).content

    def called(*clouds: Tensor) -> Tensor:
        with users_code(f"{kind} {key}: it"):
            found: Any = term.function(*clouds)
        if not isinstance(found, torch.Tensor) or not found.is_floating_point():
            what = found.dtype if isinstance(found, torch.Tensor) else type(found).__name__
            raise RunError(f"{kind} {key}: found {what}; return a floating-point torch.Tensor")
        return found

    return called


def _registering(kind: TermKind, name: str, version: str) -> Callable[[_F], _F]:
    def decorate(function: _F) -> _F:
        register(kind, name, version, UserTerm(name, version, function), function)
        return function

    return decorate
