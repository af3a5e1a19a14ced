"""Small sweeps whose axes list values of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweepengine.spec import SweepSpec, axes_of

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWN = {"name": "gaussian", "d": 3, "n_train": 12, "n_test": 10, "teacher": "linear"}
SWEPT: dict[str, list[Any]] = {"n_train": [6, 12], "sigma_b": [0.0, 0.5], "step_size": [0.25, 0.5]}
"""Eight plain sweeps: two sets of data, four architectures with them, and two schedules."""


def swept(tiny: Callable[..., dict[str, Any]], **axes: Any) -> dict[str, Any]:
    """The tiny sweep at one width with axes, and without what these sweep; data are nested, or drawn for ``d``."""
    content = tiny(axes={"width": [8]} | axes, data={"nested": True})
    if not {"d", "data_noise"}.isdisjoint(axes):
        content["data"] = dict(DRAWN)
    for axis in axes_of(SweepSpec).keys() & axes.keys():
        section, field = axes_of(SweepSpec)[axis].path
        content[section].pop(field, None)
    return content


def fixed(tiny: Callable[..., dict[str, Any]], **values: Any) -> dict[str, Any]:
    """The plain sweep that has these values of swept settings."""
    content = swept(tiny, **{axis: [value] for axis, value in values.items()})
    for axis, value in values.items():
        del content["axes"][axis]
        section, field = axes_of(SweepSpec)[axis].path
        content[section][field] = value
    return content
