"""What is measured at a record. The declarations import no torch; :mod:`sweepengine.observe.measure` does."""

from sweepengine.observe._variables import VARIABLES as VARIABLES
from sweepengine.observe._variables import Variable as Variable

__all__ = ["VARIABLES", "Variable"]
