"""What is measured at a record. The declarations import no torch; :mod:`sweepengine.observe.measure` does."""

from sweepengine.observe._user import UserObservable as UserObservable
from sweepengine.observe._user import register_observable as register_observable
from sweepengine.observe._user import user_observable as user_observable
from sweepengine.observe._variables import DEFAULT_VARIABLES as DEFAULT_VARIABLES
from sweepengine.observe._variables import OF_MODULES as OF_MODULES
from sweepengine.observe._variables import VARIABLES as VARIABLES
from sweepengine.observe._variables import Variable as Variable
from sweepengine.observe._variables import canonical_variables as canonical_variables
from sweepengine.observe._variables import user_variables as user_variables
from sweepengine.observe._variables import variables_of as variables_of

__all__ = [
    "DEFAULT_VARIABLES",
    "OF_MODULES",
    "VARIABLES",
    "UserObservable",
    "Variable",
    "canonical_variables",
    "register_observable",
    "user_observable",
    "user_variables",
    "variables_of",
]
