"""Runs, blocks, time and memory of sweeps of particles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sweepengine.data import check_cost, load_reference
from sweepengine.errors import SpecError
from sweepengine.observe import (
    CloudSizes,
    canonical_names,
    given_ids,
    ingredients_of,
    observables_of,
    record_cost,
    variables_of,
)
from sweepengine.observe.cloud_costs import OUTPUTS
from sweepengine.plan._blocks import own_dims
from sweepengine.plan._cost import BYTE_SECONDS, NOMINAL, RUN_OVERHEAD, WORKER_BYTES
from sweepengine.plan._particle_memory import particle_memory, pass_bytes
from sweepengine.plan._particle_seconds import draw_seconds, step_seconds, velocity_seconds
from sweepengine.plan._radial import predict_radial
from sweepengine.spec import RiskTerm, expand_particles
from sweepengine.store import make_block, piece_length

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from sweepengine.data import Dataset, Given
    from sweepengine.plan._cost import MachineRate
    from sweepengine.plan._step_size import References
    from sweepengine.spec import ParticleRun, ParticleSpec
    from sweepengine.store import Block, BlockShape, StoredArray

_STEP_OVERHEAD = 3e-5
_RECORD_OVERHEAD = 6e-4

_ADAPTIVE_TRIES = 2
"""Assumed tries of an adaptive method for each step of size dt."""


class ParticleWork:
    """The work of a sweep of particles; see :class:`sweepengine.plan._work.Work`."""

    def __init__(self, spec: ParticleSpec, data: Dataset, references: References) -> None:
        for place, term in enumerate(spec.functional.terms):
            if isinstance(term, RiskTerm):
                check_cost(data, term.cost, f"functional.terms.{place}.cost")
        if data.outputs > 1:
            raise SpecError(
                f"data: found {data.outputs} targets a point in {data.description}; particles have one output, take "
                "data of one target"
            )
        self._spec, self._data, self._references = spec, data, references
        self._d = data.x_train.shape[1]
        self._reference: Given | None = None
        first = next(self._expanded())
        if spec.reference is not None:
            self._reference = load_reference(spec.reference, len(first.coordinates(self._d)))
        for observable in observables_of(first.kind, first.observables):
            if observable.fits is not None:
                observable.fits(spec.axes.width, len(first.coordinates(self._d)), self._reference_count)
        self._grid = self._make_grid(first)
        self.given: tuple[Given, ...] = tuple(each for each in (self._reference, self._grid) if each is not None)

    def _expanded(self) -> Iterator[ParticleRun]:
        reference = None if self._reference is None else self._reference.id
        return expand_particles(self._spec, self._data.id, canonical_names(self._spec), reference)

    def _make_grid(self, run: ParticleRun) -> Given | None:
        if "grid" not in given_ids(run):
            return None
        stored = self._references.given("grid", run.grid_id)
        if stored is not None:
            return stored
        from sweepengine.plan.initial_cloud import grid_of

        return grid_of(run, self._d)

    def runs(self) -> tuple[ParticleRun, ...]:
        """All runs of the sweep.

        Raises
        ------
        SpecError
            A run has fewer chunks of particles than shards, or as for :func:`sweepengine.spec.expand_particles`.
        """
        runs = tuple(self._expanded())
        for run in runs:
            piece = piece_length(run.width, len(run.coordinates(self._d)), run.precision)
            pieces = -(-run.width // piece)
            if pieces < self._spec.shards:
                raise SpecError(
                    f"shards: found {self._spec.shards} for width {run.width}, which is {pieces} chunks of up to "
                    f"{piece} particles; shards hold whole chunks: use at most {pieces}, or larger widths"
                )
        return runs

    def layout(self, run: ParticleRun) -> Hashable:
        """The properties that runs of one block share; the spec fixes all others."""
        return (run.width, run.record_steps)

    def block(self, runs: Sequence[ParticleRun]) -> Block:
        """The block of runs that share number of particles and schedule."""
        first, n = runs[0], len(self._data.y_train)
        names = first.coordinates(self._d)
        terms = tuple(term.term for term in first.terms)
        extents = {"i": n, "j": n, "test": len(self._data.y_test)}
        extents |= {"term": len(terms), "particle": first.width, "coord": len(names)}
        labels = {"term": terms, "coord": names}
        if self._grid is not None:
            extents["grid"] = len(self._grid.arrays["points"])
        added, named = own_dims(first, extents)
        return make_block(runs, variables_of(first), extents | added, labels | named, first.snapshots)

    def seconds(self, run: ParticleRun, shape: BlockShape, rate: MachineRate) -> float:
        """Estimated seconds of one run on one thread of each shard."""
        shards, method = self._spec.shards, run.time_method
        tries = _ADAPTIVE_TRIES if method.adaptive else 1
        velocities = method.velocities * velocity_seconds(run, shape, rate)
        step = (velocities + step_seconds(run, shape, rate)) / shards + _STEP_OVERHEAD
        # Every record looks at the functional.
        cost = record_cost((*ingredients_of(run), OUTPUTS), self._sizes(run, shape, rate))
        record = cost.flops / _record_rate(rate) / shards + cost.seconds * rate.passes + _RECORD_OVERHEAD
        start = 2 * draw_seconds(run.width, shape.sizes["coord"], rate) / shards
        ends = RUN_OVERHEAD + start + BYTE_SECONDS * shape.run_bytes()
        return ends + run.n_steps * tries * step + shape.records * record

    def predict(self, run: ParticleRun) -> dict[str, StoredArray]:
        """Prediction of the radial reduction for the run."""
        return predict_radial(run)

    def limit_size(self, run: ParticleRun) -> tuple[int, int]:
        """Uncompressed bytes of the prediction, and its number of arrays."""
        return 8 * len(run.record_steps), 1

    def memory(self, run: ParticleRun, shape: BlockShape) -> int:
        """Bytes of a worker with one task, or with one shard of a task."""
        return WORKER_BYTES + particle_memory(run, shape, self._sizes(run, shape, NOMINAL))

    def state_bytes(self, run: ParticleRun, shape: BlockShape) -> int:
        """Bytes of the last state of a run: its particles."""
        return run.width * shape.sizes["coord"] * np.dtype(run.precision).itemsize

    def _sizes(self, run: ParticleRun, shape: BlockShape, rate: MachineRate) -> CloudSizes:
        return CloudSizes(
            width=run.width,
            coordinates=shape.sizes["coord"],
            n=shape.sizes["i"],
            n_test=shape.sizes["test"],
            grid=shape.sizes.get("grid", 0),
            reference=self._reference_count,
            shards=self._spec.shards,
            item=np.dtype(run.precision).itemsize,
            velocity_flops=velocity_seconds(run, shape, rate) * _record_rate(rate),
            pass_bytes=pass_bytes(run, shape),
        )

    @property
    def _reference_count(self) -> int:
        return 0 if self._reference is None else len(self._reference.arrays["points"])


def _record_rate(rate: MachineRate) -> float:
    """Operations a second of what records make, such as kernels of skinny products."""
    return 0.5 * rate.flops
