"""Datasets: the inputs and targets that a sweep trains on. Imports no torch."""

from sweepengine.data._load import Dataset as Dataset
from sweepengine.data._load import load as load
from sweepengine.data._load import no_data as no_data
from sweepengine.data._synthetic import fresh_points as fresh_points
from sweepengine.data._synthetic import teacher_weights as teacher_weights

__all__ = ["Dataset", "fresh_points", "load", "no_data", "teacher_weights"]
