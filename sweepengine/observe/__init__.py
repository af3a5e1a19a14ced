"""What is measured at a record. The declarations import no torch; ``measure`` and ``measure_particles`` do."""

from sweepengine.observe._particle_variables import PARTICLE_VARIABLES as PARTICLE_VARIABLES
from sweepengine.observe._particle_variables import TEST_FUNCTIONS as TEST_FUNCTIONS
from sweepengine.observe._particle_variables import canonical_names as canonical_names
from sweepengine.observe._particle_variables import given_ids as given_ids
from sweepengine.observe._particle_variables import particle_variables_of as particle_variables_of
from sweepengine.observe._record_cost import INGREDIENTS as INGREDIENTS
from sweepengine.observe._record_cost import Ingredient as Ingredient
from sweepengine.observe._record_cost import RecordCost as RecordCost
from sweepengine.observe._record_cost import Sizes as Sizes
from sweepengine.observe._record_cost import record_cost as record_cost
from sweepengine.observe._user import UserObservable as UserObservable
from sweepengine.observe._user import register_observable as register_observable
from sweepengine.observe._user import user_observable as user_observable
from sweepengine.observe._variable import SNAPSHOT as SNAPSHOT
from sweepengine.observe._variable import Variable as Variable
from sweepengine.observe._variables import DEFAULT_VARIABLES as DEFAULT_VARIABLES
from sweepengine.observe._variables import OF_MODULES as OF_MODULES
from sweepengine.observe._variables import VARIABLES as VARIABLES
from sweepengine.observe._variables import canonical_variables as canonical_variables
from sweepengine.observe._variables import user_variables as user_variables
from sweepengine.observe._variables import variables_of as variables_of
from sweepengine.observe._weights import parameter_count as parameter_count
from sweepengine.observe._weights import parameter_shapes as parameter_shapes
from sweepengine.observe._weights import unflatten as unflatten

__all__ = [
    "DEFAULT_VARIABLES",
    "INGREDIENTS",
    "OF_MODULES",
    "PARTICLE_VARIABLES",
    "SNAPSHOT",
    "TEST_FUNCTIONS",
    "VARIABLES",
    "Ingredient",
    "RecordCost",
    "Sizes",
    "UserObservable",
    "Variable",
    "canonical_names",
    "canonical_variables",
    "given_ids",
    "parameter_count",
    "parameter_shapes",
    "particle_variables_of",
    "record_cost",
    "register_observable",
    "unflatten",
    "user_observable",
    "user_variables",
    "variables_of",
]
