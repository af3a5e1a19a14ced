"""What goes wrong with particles, each with the way out in its message."""

from __future__ import annotations

from sweepengine.errors import SweepError


class ParticlesError(SweepError):
    """Base of the errors of this package."""


class ShapeError(ParticlesError, ValueError):
    """Arrays that do not fit together."""


class ParameterError(ParticlesError, ValueError):
    """A name that is not known, or a number outside its domain."""


class MemoryNeedError(ParticlesError, MemoryError):
    """Something of quadratic size that does not fit the memory allowed for it."""


class StepLimitError(ParticlesError, RuntimeError):
    """The adaptive integrator needs more steps than it was allowed."""


class ShardError(ParticlesError, RuntimeError):
    """Shards that do not meet, or of which one has stopped."""


class DivergedError(ParticlesError, ArithmeticError):
    """A flow that left every bounded set, or met NaN.

    Attributes
    ----------
    step : int
        The step after which it was seen; 0 is the start.
    """

    def __init__(self, message: str, *, step: int) -> None:
        super().__init__(message)
        self.step = step
