"""Data sets: the inputs and targets that a sweep trains on, and further arrays from files. Imports no torch."""

from sweepengine.data._arrays import open_arrays as open_arrays
from sweepengine.data._dataset import Dataset as Dataset
from sweepengine.data._dataset import no_data as no_data
from sweepengine.data._given import Given as Given
from sweepengine.data._given import GivenKind as GivenKind
from sweepengine.data._given import load_reference as load_reference
from sweepengine.data._load import fresh_points as fresh_points
from sweepengine.data._load import load as load
from sweepengine.data._targets import check_cost as check_cost
from sweepengine.data._weights import load_weights as load_weights
from sweepengine.data._weights import parameter_names as parameter_names
