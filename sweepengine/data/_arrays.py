"""Arrays of files that other programs wrote: plain numbers only, nothing in them is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from sweepengine.errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray


def read_arrays(path: str | os.PathLike[str], what: str) -> dict[str, NDArray[np.generic]]:
    """All arrays of a ``.npz`` file, read without unpickling.

    Parameters
    ----------
    path : path
    what : str
        What the arrays are, for messages: the field of a spec that names the file.

    Raises
    ------
    DataError
        There is no such file, or it holds anything but plain arrays.
    """
    try:
        # Opened here: NumPy leaves the file of a torn archive open.
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise DataError(f"{what}: there is no file {path}; a spec's paths begin at its own folder") from error
    except OSError as error:
        raise DataError(f"{what}: {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        # NumPy's own words advise to unpickle. AttributeError, TypeError: a .npy is no context and has no names.
        raise DataError(
            f"{what}: {path} is no .npz file of plain arrays of numbers; write it with numpy.savez"
        ) from error


def real_array(arrays: Mapping[str, NDArray[np.generic]], name: str, what: str) -> NDArray[np.float64]:
    """One of the arrays as float64.

    Raises
    ------
    DataError
        It is missing, holds something else than real numbers, or one that is not finite in float64.
    """
    if name not in arrays:
        raise DataError(f"{what}: no array {name!r}; found {', '.join(sorted(arrays)) or 'none'}; add it to the file")
    found = arrays[name]
    if found.dtype.kind not in "buif":
        raise DataError(f"{what}: {name} holds {found.dtype}; expected real numbers")
    values = found.astype(np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"{what}: {name} holds numbers that are not finite; mend or remove them")
    return values
