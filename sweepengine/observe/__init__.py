"""What is measured at a record. The declarations import no torch; :mod:`sweepengine.observe.measure` does."""

from sweepengine.observe._variables import DEFAULT_VARIABLES as DEFAULT_VARIABLES
from sweepengine.observe._variables import VARIABLES as VARIABLES
from sweepengine.observe._variables import Variable as Variable
from sweepengine.observe._variables import canonical_variables as canonical_variables
from sweepengine.observe._variables import variables_of as variables_of

__all__ = ["DEFAULT_VARIABLES", "VARIABLES", "Variable", "canonical_variables", "variables_of"]
