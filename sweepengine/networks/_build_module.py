"""Builds the module of a registered model and its initial parameters, and checks the rules for users' models."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.func import functional_call

from sweepengine.errors import SpecError, users_code
from sweepengine.networks._module import ModuleParameters
from sweepengine.streams import Role, gaussian_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from sweepengine.plugins import UserModel


def build_module(
    model: UserModel, width: int, d: int, outputs: int, seed: int, dtype: torch.dtype
) -> tuple[nn.Module, ModuleParameters]:
    """A user's module of one width with the parameters of one seed.

    Parameter p in the module's order is drawn from stream (seed, MODULE, p) as a matrix whose rows are its first dim
    and whose columns are the other dims. So it is nested in its first dim, and in its second dim if the others do not
    change. Numbers that ``build`` itself draws from torch's generator (for buffers) depend on the seed alone as well.

    Parameters
    ----------
    model : UserModel
    width, d, outputs, seed : int
        m, input dimension, k, and the seed of the run.
    dtype : torch.dtype
        Of parameters and buffers. Parameters are drawn in float64 and rounded.

    Returns
    -------
    (Module, ModuleParameters)

    Raises
    ------
    SpecError
        The user's code raised an error or its module breaks a rule; the message says which.
    """
    where = f"model {model.name}@{model.version}, width {width}"
    module, again = (_built(model, width, d, outputs, seed, dtype, where) for _ in range(2))
    if not _equal(dict(module.named_buffers()), dict(again.named_buffers())):
        raise SpecError(f"{where}: two builds of one seed have different buffers; make them from torch's own generator")
    values = {}
    for place, (name, parameter) in enumerate(module.named_parameters()):
        rows = parameter.shape[0] if parameter.dim() else 1
        drawn = gaussian_matrix(seed, Role.MODULE, place, rows, parameter.numel() // max(rows, 1))
        gaussians = torch.from_numpy(drawn).reshape(parameter.shape)
        state = _random_state()
        value = (
            gaussians
            if model.law is None
            else _guarded(where, f"law({name!r}, …)", partial(model.law, name, gaussians))
        )
        if model.law is not None and _random_state() != state:
            raise SpecError(
                f"{where}: law({name!r}, …) draws random numbers; make its values from those that it is given"
            )
        if not isinstance(value, torch.Tensor) or value.shape != parameter.shape or not value.is_floating_point():
            raise SpecError(
                f"{where}: law({name!r}, …) gave {_shown(value)}; expected numbers of shape {tuple(parameter.shape)}"
            )
        values[name] = value.detach().to(dtype, copy=True).contiguous()
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise SpecError(f"{where}: the module has no parameter that requires a gradient; nothing can be trained")
    parameters = ModuleParameters(values, width, outputs)
    _check_function(module, parameters, d, outputs, dtype, where)
    return module, parameters


def _built(model: UserModel, width: int, d: int, outputs: int, seed: int, dtype: torch.dtype, where: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        call = f"build(width={width}, inputs={d}, outputs={outputs})"
        module = _guarded(where, call, partial(model.build, width=width, inputs=d, outputs=outputs))
    if not isinstance(module, torch.nn.Module):
        raise SpecError(f"{where}: {call} gave {_shown(module)}; expected a torch.nn.Module")
    return module.to(dtype)


def _check_function(
    module: nn.Module, parameters: ModuleParameters, d: int, outputs: int, dtype: torch.dtype, where: str
) -> None:
    """Refuse a module whose output at a point is not a function of that point alone.

    The module is called twice on three points, and once on the first of them alone.
    """
    points = torch.linspace(-1, 1, 3 * d, dtype=dtype).reshape(3, d)
    before = {name: each.clone() for name, each in module.named_buffers()}

    def call(x: Tensor) -> Any:
        with torch.no_grad():
            arguments = {**parameters.values, **dict(module.named_buffers())}
            return _guarded(
                where,
                f"the module on points of shape {tuple(x.shape)}",
                partial(functional_call, module, arguments, (x,)),
            )

    state = _random_state()
    first = call(points)
    # Two calls may agree by chance: dropout with a small rate mostly drops nothing of three points.
    if _random_state() != state:
        raise SpecError(
            f"{where}: a call of the module draws random numbers; switch dropout off (module.eval()), and draw what is "
            "random in build"
        )
    shapes = [(3, outputs)] if outputs > 1 else [(3, 1), (3,)]
    if not isinstance(first, torch.Tensor) or tuple(first.shape) not in shapes or first.dtype != dtype:
        raise SpecError(f"{where}: the module gave {_shown(first)} for 3 points; expected {dtype} of shape {shapes[0]}")
    if not torch.equal(first.nan_to_num(), call(points).nan_to_num()):
        raise SpecError(
            f"{where}: the module gives other numbers when called again; switch dropout off (module.eval())"
        )
    if not _equal(before, dict(module.named_buffers())):
        raise SpecError(f"{where}: a call changes the module's buffers; use module.eval(), or no running statistics")
    tolerance = 1e-3 if dtype == torch.float32 else 1e-9
    alone = call(points[:1]).reshape(-1)
    if not torch.allclose(
        first[0].reshape(-1), alone, rtol=tolerance, atol=tolerance * float(first.abs().max()), equal_nan=True
    ):
        raise SpecError(
            f"{where}: the output at a point changes with the other points of the batch; the kernel is not defined for "
            "such a module (batch normalisation in training mode?)"
        )


def _random_state() -> tuple[object, ...]:
    """States of the global random generators of PyTorch, NumPy and Python."""
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 -- users' code may draw from it
    torches = [each.numpy().tobytes() for each in (torch.get_rng_state(), *devices)]
    return (*torches, name, np.asarray(keys).tobytes(), *rest, random.getstate())


def _guarded(where: str, what: str, call: Callable[[], Any]) -> Any:
    """The result of a call of the user's code; an error in it becomes a :class:`SpecError` with file and line."""
    with users_code(f"{where}: {what}", SpecError):
        return call()


def _equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def _shown(value: object) -> str:
    return f"{value.dtype} of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)[:80]
