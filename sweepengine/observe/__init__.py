"""Observables: what a run measures at its records.

The declarations of observables import no torch. ``measure`` and the functions that measure observables import it.
"""

from sweepengine.observe._case import Case as Case
from sweepengine.observe._catalogue import declare as declare
from sweepengine.observe._catalogue import declared as declared
from sweepengine.observe._catalogue import observables_of as observables_of
from sweepengine.observe._catalogue import user_observable as user_observable
from sweepengine.observe._choice import canonical_names as canonical_names
from sweepengine.observe._choice import default_names as default_names
from sweepengine.observe._choice import given_ids as given_ids
from sweepengine.observe._choice import ingredients_of as ingredients_of
from sweepengine.observe._choice import variables_of as variables_of
from sweepengine.observe._observable import Observable as Observable
from sweepengine.observe._observable import observable as observable
from sweepengine.observe._record_cost import FREE as FREE
from sweepengine.observe._record_cost import Ingredient as Ingredient
from sweepengine.observe._record_cost import RecordCost as RecordCost
from sweepengine.observe._record_cost import record_cost as record_cost
from sweepengine.observe._user import register_observable as register_observable
from sweepengine.observe._variable import OUTPUT_DIMS as OUTPUT_DIMS
from sweepengine.observe._variable import SNAPSHOT as SNAPSHOT
from sweepengine.observe._variable import Variable as Variable
from sweepengine.observe._weights import parameter_count as parameter_count
from sweepengine.observe._weights import parameter_shapes as parameter_shapes
from sweepengine.observe._weights import unflatten as unflatten
from sweepengine.observe.cloud_costs import CloudSizes as CloudSizes
from sweepengine.observe.network_costs import Sizes as Sizes
