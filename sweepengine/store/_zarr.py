"""The one private name of zarr that this package uses, because zarr has no public door to it.

``sync(coroutine)`` runs a coroutine in zarr's own event loop and returns its result. It must be zarr's loop: the file
systems of object stores belong to the loop in which they were first used.
"""

from zarr.core.sync import sync

__all__ = ["sync"]
