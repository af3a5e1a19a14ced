"""Errors of the analysis; a message says what was found, what was expected and what to do."""

from sweepengine.errors import SweepError


class AnalysisError(SweepError):
    """Base of every error that `analysis` raises on purpose."""


class ContractError(AnalysisError, ValueError):
    """The dataset is not what `sweepengine.open_sweep` promises: a variable, coordinate or value is missing or odd."""


class DuplicateRunError(AnalysisError, ValueError):
    """Two runs of one group share width and seed, so a swept axis is missing from the grouping."""


class TooFewWidthsError(AnalysisError, ValueError):
    """A power law needs at least three widths."""


class TooFewSeedsError(AnalysisError, ValueError):
    """No seed is available at every width (or fewer than the chosen average needs)."""


class OptimumAtEdgeError(AnalysisError, ValueError):
    """The best value lies at an end of the axis, or the seeds do not agree that it lies inside."""


class InvalidObservableError(AnalysisError, ValueError):
    """An observable is NaN, infinite or not positive, so that its logarithm does not exist."""


class MemoryNeedError(AnalysisError, MemoryError):
    """More memory would be needed than was allowed; nothing has been allocated."""


class MissingExtraError(AnalysisError, ImportError):
    """The plotting libraries are not installed, or cannot be loaded on this machine."""


class FigureFormatError(AnalysisError, ValueError):
    """A figure was asked for in a format that cannot be written."""


class ReportWriteError(AnalysisError, OSError):
    """The report's directory or files cannot be written."""
