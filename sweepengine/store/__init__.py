"""The Zarr layout: create, write, commit, resume, open as xarray. Imports no torch."""

from sweepengine.store._address import normalise_address as normalise_address
from sweepengine.store._address import open_address as open_address
from sweepengine.store._attempts import HeldError as HeldError
from sweepengine.store._attempts import SupersededError as SupersededError
from sweepengine.store._chunk import ChunkWriter as ChunkWriter
from sweepengine.store._chunk import fail_chunk as fail_chunk
from sweepengine.store._chunk import refs_by_positions as refs_by_positions
from sweepengine.store._compatibility import bind_code as bind_code
from sweepengine.store._data import read_data as read_data
from sweepengine.store._data import read_given as read_given
from sweepengine.store._layout import Block as Block
from sweepengine.store._layout import BlockShape as BlockShape
from sweepengine.store._layout import StoredArray as StoredArray
from sweepengine.store._layout import make_block as make_block
from sweepengine.store._layout import piece_length as piece_length
from sweepengine.store._marks import DamagedMarkError as DamagedMarkError
from sweepengine.store._marks import Mark as Mark
from sweepengine.store._marks import RunMark as RunMark
from sweepengine.store._marks import StateRef as StateRef
from sweepengine.store._marks import read_failures as read_failures
from sweepengine.store._marks import read_mark as read_mark
from sweepengine.store._marks import write_failure as write_failure
from sweepengine.store._nodes import Nodes as Nodes
from sweepengine.store._open import open_sweep as open_sweep
from sweepengine.store._open import open_theory as open_theory
from sweepengine.store._part import ChunkPart as ChunkPart
from sweepengine.store._part import ChunkPlace as ChunkPlace
from sweepengine.store._part import Share as Share
from sweepengine.store._run_table import STORE_FILES as STORE_FILES
from sweepengine.store._status import Status as Status
from sweepengine.store._sweep_store import SweepStore as SweepStore
from sweepengine.store._sweep_store import unwritable as unwritable
from sweepengine.store._token import delete_token as delete_token
from sweepengine.store._token import read_token as read_token
from sweepengine.store._token import write_token as write_token
from sweepengine.store._verify import Damage as Damage
from sweepengine.store._verify import find_damage as find_damage
from sweepengine.store._verify import repair as repair
from sweepengine.store._view import runs_of as runs_of

__all__ = [
    "STORE_FILES",
    "Block",
    "BlockShape",
    "ChunkPart",
    "ChunkPlace",
    "ChunkWriter",
    "Damage",
    "DamagedMarkError",
    "HeldError",
    "Mark",
    "Nodes",
    "RunMark",
    "Share",
    "StateRef",
    "Status",
    "StoredArray",
    "SupersededError",
    "SweepStore",
    "bind_code",
    "delete_token",
    "fail_chunk",
    "find_damage",
    "make_block",
    "normalise_address",
    "open_address",
    "open_sweep",
    "open_theory",
    "piece_length",
    "read_data",
    "read_failures",
    "read_given",
    "read_mark",
    "read_token",
    "refs_by_positions",
    "repair",
    "runs_of",
    "unwritable",
    "write_failure",
    "write_token",
]
