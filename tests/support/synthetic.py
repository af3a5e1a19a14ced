"""Synthetic sweeps with known exponents, in the form that `sweepengine.open_sweep` promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTHS = (32, 64, 128, 256, 512, 1024, 2048)
GAMMAS: Mapping[str, float] = {"ntk": 0.5, "mean_field": 1.0}


def exact_exponents(gamma: float, activation: str) -> dict[str, float]:
    """p of Q ~ m^-p for one hidden layer, as theory.md §4.2 states it (relu at γ = ½: a reading at finite widths)."""
    drift = 2 * (1 - gamma) if gamma > 0.5 else {"relu": 0.68}.get(activation, 1.0)
    return {
        "kernel_drift": drift,
        "movement_total": 1 - gamma,
        "movement_relative": 1 - gamma,
        "movement_op": 1 - gamma,
    }


def make_sweep(
    *,
    gammas: Mapping[str, float] = GAMMAS,
    widths: Sequence[int] = WIDTHS,
    seeds: int = 8,
    activation: str = "tanh",
    noise: float = 0.15,
    records: int = 12,
    points: int = 20,
    status: Mapping[tuple[str, int, int], str] | None = None,
    attrs: Mapping[str, str] | None = None,
    exponents: Mapping[str, float] | None = None,
    rng_seed: int = 0,
    dask: bool = True,
) -> tuple[xr.Dataset, dict[str, dict[str, float]]]:
    """Return a sweep and, for each scaling label, the exact p of each observable.

    Log-normal noise is shared by half between the widths of a seed (nested initialisations). `status` maps
    (scaling, width, seed) to a status other than done; `exponents` overrides p in every scaling.
    """
    rng = np.random.default_rng(rng_seed)
    exact = {s: {**exact_exponents(g, activation), **(exponents or {})} for s, g in gammas.items()}
    rows = [(s, g, m, k) for s, g in gammas.items() for m in widths for k in range(seeds)]
    runs = len(rows)
    scaling = np.array([r[0] for r in rows], dtype=object)
    width, seed = np.array([r[2] for r in rows]), np.array([r[3] for r in rows])
    state = np.array([(status or {}).get((s, m, k), "done") for s, _, m, k in rows], dtype=object)
    done = np.array([{"done": records, "failed": 0, "pending": 0}.get(str(s), records // 2) for s in state])
    step = np.concatenate([[0], np.geomspace(8, 4000, records - 1).round().astype(int)])
    time = step * 0.0125
    layer = np.array(["W0", "W1"], dtype=object)

    def power(name: str, amplitude: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        shared = {(s, k): rng.standard_normal() for s in gammas for k in range(seeds)}
        z = np.array([np.sqrt(0.5) * shared[s, k] + np.sqrt(0.5) * rng.standard_normal() for s, _, _, k in rows])
        p = np.array([exact[s][name] for s in scaling])
        return np.asarray(amplitude * (width / widths[0]) ** -p * np.exp(noise * z))

    growth = 1 - np.exp(-time / 8)
    drift = power("kernel_drift", 0.9)[:, None] * growth / growth[-1]
    total = power("movement_total", 0.5)[:, None] * growth / growth[-1]
    relative = np.stack([power("movement_relative", a) for a in (0.5, 0.6)], axis=-1)[:, None] * growth[:, None]
    op = np.stack([power("movement_op", a) for a in (0.4, 0.3)], axis=-1)[:, None] * growth[:, None]
    speed = np.where(np.isclose([r[1] for r in rows], 1.0), 0.25, 0.12) * np.exp(0.1 * rng.standard_normal(runs))
    train = 0.5 * np.exp(-2 * speed[:, None] * time) + 1e-4
    test = 0.45 * np.exp(-speed[:, None] * time) + 0.05 + 0.2 / np.sqrt(width)[:, None]
    target = np.where(np.arange(points) % 2, 1.0, -1.0)
    wrong = rng.random((runs, points)) < (0.04 + 0.3 / np.sqrt(width))[:, None]
    outputs = target * np.where(wrong, -0.4, 0.9)[:, None, :] * np.linspace(0.1, 1, records)[:, None]
    kernel = np.tile(np.eye(4, dtype=np.float32), (runs, records, 1, 1))
    variables: dict[str, tuple[tuple[str, ...], np.ndarray[Any, Any]]] = {
        "loss_train": (("run", "record"), train),
        "loss_test": (("run", "record"), test),
        "outputs_train": (("run", "record", "i"), outputs[:, :, :4]),
        "outputs_test": (("run", "record", "test"), outputs),
        "kernel": (("run", "record", "i", "j"), kernel),
        "kernel_drift": (("run", "record"), drift),
        "movement_relative": (("run", "record", "layer"), relative * np.ones((1, records, 1))),
        "movement_row_max": (("run", "record", "layer"), op * np.ones((1, records, 1))),
        "movement_op": (("run", "record", "layer"), op * np.ones((1, records, 1))),
        "movement_total": (("run", "record"), total),
    }
    beyond = np.arange(records) >= done[:, None]
    data: dict[str, Any] = {}
    for name, (dims, values) in variables.items():
        mask = beyond.reshape(beyond.shape + (1,) * (values.ndim - 2))
        data[name] = (dims, np.where(mask, np.nan, values).astype(np.float32))
    data["targets_train"] = ("i", target[:4])
    data["targets_test"] = ("test", target)
    diverged = state == "diverged"
    coords: dict[str, Any] = {
        "id": ("run", np.array([f"{s}-{m}-{k}" for s, _, m, k in rows], dtype=object)),
        "status": ("run", state),
        "records_done": ("run", done),
        "diverged_step": ("run", np.where(diverged, 40, -1)),
        "scaling": ("run", scaling),
        "gamma": ("run", np.array([r[1] for r in rows])),
        "width": ("run", width),
        "seed": ("run", seed),
        "depth": ("run", np.ones(runs, dtype=int)),
        "activation": ("run", np.array([activation] * runs, dtype=object)),
        "alpha": ("run", np.ones(runs)),
        "step_size": ("run", np.full(runs, 0.0125)),
        "method": ("run", np.array(["gd"] * runs, dtype=object)),
        "step": ("record", step),
        "time": ("record", time),
        "layer": ("layer", layer),
    }
    described = {
        "title": "quickstart",
        "spec": "name: quickstart\ndata: {name: digits, classes: [3, 8], n_train: 64, n_test: 64}\n",
        "history": "2026-11-21T22:40:00Z created by sweepengine 0.1.0",
        "provenance": json.dumps({"machine": "Linux x86_64", "versions": {"sweepengine": "0.1.0", "torch": "2.13.0"}}),
        "store": "results/quickstart.zarr",
    }
    ds = xr.Dataset(data, coords=coords, attrs={**described, **(attrs or {})})
    return (ds.chunk({"run": 16, "record": 4}) if dask else ds), exact
