"""Errors of the particle library; every message says how to avoid the error."""

from __future__ import annotations

from sweepengine.errors import SweepError


class ParticlesError(SweepError):
    """Base of the errors of this package."""


class ShapeError(ParticlesError, ValueError):
    """Arrays that do not fit together."""


class ParameterError(ParticlesError, ValueError):
    """A name that is not known, or a number outside its domain."""


class MemoryNeedError(ParticlesError, MemoryError):
    """An array of quadratic size would not fit the memory that is allowed for it."""


class StepLimitError(ParticlesError, RuntimeError):
    """The adaptive integrator needs more steps than it is allowed."""


class ShardError(ParticlesError, RuntimeError):
    """The shards of a run did not find each other, or one of them has stopped."""


class DivergedError(ParticlesError, ArithmeticError):
    """A flow that left every bounded set, or met NaN.

    Attributes
    ----------
    step : int
        The step after which the divergence was seen; 0 is the start.
    """

    def __init__(self, message: str, *, step: int) -> None:
        super().__init__(message)
        self.step = step
