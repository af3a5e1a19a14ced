"""The checked value of a user's observable at one record. An error in it is the failure of its run alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from sweepengine.errors import RunError, users_code
from sweepengine.observe._variable import OUTPUT_DIMS

if TYPE_CHECKING:
    from torch import Tensor

    from sweepengine.observe._observable import Observable


def measured(observable: Observable, now: Any, start: Any) -> Tensor:
    """Call the function of a user's observable, and check its value.

    Parameters
    ----------
    observable : Observable
    now, start : Moment or CloudMoment

    Returns
    -------
    Tensor
        With the observable's dims except run and record; sizes that are known are checked.

    Raises
    ------
    RunError
        The function raised an error, or its value is not a floating-point tensor of the observable's dims.
    """
    name, dims = observable.name, observable.variable.dims[2:]
    if {*OUTPUT_DIMS} & {*dims} and not now.has_output_dim:
        dims = tuple(dim for dim in dims if dim not in OUTPUT_DIMS)
    with users_code(f"observable {name}: it"), torch.no_grad():
        value: Any = observable.function(now, start)
    if not isinstance(value, torch.Tensor):
        raise RunError(f"observable {name}: found {type(value).__name__}; return a floating-point torch.Tensor")
    if not value.is_floating_point():
        raise RunError(
            f"observable {name}: found {value.dtype}; return floating-point numbers, such as .to(torch.float64)"
        )
    own = observable.extents
    fits = value.dim() == len(dims) and all(
        own.get(dim, size) == size for dim, size in zip(dims, value.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(f"{dim}: {own[dim]}" if dim in own else dim for dim in dims)
        raise RunError(f"observable {name}: found shape {tuple(value.shape)}; expected ({wanted})")
    return value.detach()
