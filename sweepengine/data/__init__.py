"""Datasets: the inputs and targets that a sweep trains on. Imports no torch."""

from sweepengine.data._load import Dataset as Dataset
from sweepengine.data._load import load as load

__all__ = ["Dataset", "load"]
