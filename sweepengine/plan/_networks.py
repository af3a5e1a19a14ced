"""Runs, blocks, time and memory of sweeps of networks."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sweepengine.data import check_cost, load_weights
from sweepengine.errors import DataError, SpecError
from sweepengine.observe import canonical_names
from sweepengine.plan._blocks import network_block, network_dims
from sweepengine.plan._cost import run_memory, run_seconds
from sweepengine.plan._limit import LIMIT_ARRAYS, limit_bytes, predict_limit
from sweepengine.plan._step_size import reference_id, reference_lambda_max, step_count
from sweepengine.spec import Run, expand

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from sweepengine.data import Dataset, Given
    from sweepengine.plan._cost import MachineRate
    from sweepengine.plan._step_size import References
    from sweepengine.spec import Architecture, SweepSpec
    from sweepengine.store import Block, BlockShape, StoredArray


class NetworkWork:
    """The work of a sweep of networks; see :class:`sweepengine.plan._work.Work`."""

    of: ClassVar[type[Run]] = Run

    def __init__(self, spec: SweepSpec, data: Dataset, references: References) -> None:
        check_cost(data, spec.training.loss)
        _refuse_large_batches(spec, len(data.y_train))
        self._spec, self._data, self._references = spec, data, references
        _refuse_equal_outputs(spec, data)
        self._weights = _given_weights(spec, data)
        self.given: tuple[Given, ...] = () if self._weights is None else (self._weights,)

    def runs(self) -> tuple[Run, ...]:
        """All runs of the sweep."""
        weights = "" if self._weights is None else self._weights.id

        @cache
        def steps(architecture: Architecture) -> int:
            known = partial(
                self._references.lambda_max,
                reference_id(architecture, self._data, weights),
                partial(self._lambda_max, architecture),
            )
            return step_count(self._spec, len(self._data.y_train), known)

        return tuple(expand(self._spec, self._data.id, steps, canonical_names(self._spec), weights, self.of))

    def layout(self, run: Run) -> Hashable:
        """The properties that runs of one block share."""
        return (run.architecture, run.width, run.record_steps)

    def block(self, runs: Sequence[Run]) -> Block:
        """The block of runs of one layout."""
        return network_block(runs, self._data, *self._dims(runs[0]))

    def _dims(self, run: Run) -> tuple[tuple[str, ...], dict[str, int]]:
        """Names of the layers, and sizes of the dims that only this form of network has."""
        return network_dims(run, self._data)

    def _lambda_max(self, architecture: Architecture) -> float:
        """Largest eigenvalue of the kernel from which the automatic step size follows."""
        return reference_lambda_max(architecture, self._data, self._weights)

    def seconds(self, run: Run, shape: BlockShape, rate: MachineRate) -> float:
        """Estimated seconds of one run on one thread."""
        return run_seconds(run, shape, self._data.x_train.shape[1], rate)

    def predict(self, run: Run) -> dict[str, StoredArray]:
        """Prediction of infinite width for the run's architecture, data and schedule."""
        return predict_limit(run, self._data)

    def limit_size(self, run: Run) -> tuple[int, int]:
        """Uncompressed bytes of the prediction, and its number of arrays."""
        n, n_test = len(self._data.y_train), len(self._data.y_test)
        return limit_bytes(len(run.record_steps), n, n_test, self._data.outputs), LIMIT_ARRAYS

    def memory(self, run: Run, shape: BlockShape) -> int:
        """Bytes of a worker with a task that advances the run."""
        return run_memory(run, shape, self._data.x_train.shape[1])

    def state_bytes(self, run: Run, shape: BlockShape) -> int:
        """Bytes of the last state of a run: its parameters, and its momentum."""
        arrays = 2 if run.method.name == "momentum" else 1
        return arrays * shape.sizes["parameter"] * np.dtype(run.precision).itemsize


def _refuse_large_batches(spec: SweepSpec, n_train: int) -> None:
    method = spec.training.method.method()
    if method.batch_size is not None and not method.replacement and method.batch_size > n_train:
        raise SpecError(
            f"training.method.batch_size: found {method.batch_size}, but there are {n_train} training points; "
            f"use {n_train} or fewer, or replacement: true"
        )


def _refuse_equal_outputs(spec: SweepSpec, data: Dataset) -> None:
    if spec.network.readout == "ones" and data.outputs > 1:
        raise SpecError(
            f"network.readout: ones gives all {data.outputs} outputs of {data.description} one and the same function; "
            "take gaussian or signs"
        )


def _given_weights(spec: SweepSpec, data: Dataset) -> Given | None:
    """The weights of the file that a spec names, checked for the network's shape; None if it names no file."""
    network = spec.network
    if network.weights is None:
        return None
    import torch

    from sweepengine.networks import from_arrays

    [architecture, *further] = spec.architectures()
    if any(variant.depth != architecture.depth for variant in further):
        raise SpecError("axes.depth: the weights of a file have one depth; give it as network.depth")
    weights = load_weights(
        network.weights, architecture.depth, biases=architecture.sigma_b > 0, output_bias=architecture.output_bias
    )
    parameters = from_arrays(weights.arrays, architecture, torch.float64)
    expected = (data.x_train.shape[1], *architecture.widths(spec.axes.width[0]))
    if (parameters.sizes, parameters.outputs) != (expected, data.outputs):
        raise DataError(
            f"network.weights: {network.weights} holds a network of sizes {parameters.sizes} and {parameters.outputs} "
            f"outputs, the spec and its data ask for {expected} and {data.outputs} outputs; set axes.width and "
            "network.width_ratios to those of the file, or take other weights"
        )
    return weights
