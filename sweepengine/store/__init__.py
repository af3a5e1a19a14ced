"""The Zarr layout: create, write, commit, resume, open as xarray. Imports no torch."""

from sweepengine.store._address import normalise_address as normalise_address
from sweepengine.store._address import open_address as open_address
from sweepengine.store._chunk import ChunkWriter as ChunkWriter
from sweepengine.store._chunk import SupersededError as SupersededError
from sweepengine.store._layout import Block as Block
from sweepengine.store._layout import BlockShape as BlockShape
from sweepengine.store._layout import StoredArray as StoredArray
from sweepengine.store._layout import make_block as make_block
from sweepengine.store._marks import Mark as Mark
from sweepengine.store._marks import RunMark as RunMark
from sweepengine.store._marks import read_failure as read_failure
from sweepengine.store._marks import read_mark as read_mark
from sweepengine.store._marks import write_failure as write_failure
from sweepengine.store._open import open_sweep as open_sweep
from sweepengine.store._open import open_theory as open_theory
from sweepengine.store._run_table import STORE_FILES as STORE_FILES
from sweepengine.store._status import Status as Status
from sweepengine.store._sweep_store import SweepStore as SweepStore

__all__ = [
    "STORE_FILES",
    "Block",
    "BlockShape",
    "ChunkWriter",
    "Mark",
    "RunMark",
    "Status",
    "StoredArray",
    "SupersededError",
    "SweepStore",
    "make_block",
    "normalise_address",
    "open_address",
    "open_sweep",
    "open_theory",
    "read_failure",
    "read_mark",
    "write_failure",
]
