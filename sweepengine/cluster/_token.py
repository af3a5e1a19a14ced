"""The token of a cluster: who holds it may submit work.

Ray reads it from a file in the home directory of each machine.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sweepengine.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def token_path(environment: Mapping[str, str]) -> Path:
    """The file in which Ray looks for the token."""
    return Path(environment.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")


def holds_token(path: Path) -> bool:
    """Whether there is a file with something in it."""
    return path.is_file() and path.stat().st_size > 0


def is_private(path: Path) -> bool:
    """Whether only its owner can read a file."""
    return not path.stat().st_mode & _OTHERS


def make_token(environment: Mapping[str, str]) -> tuple[Path, bool]:
    """Make a token that nobody else can read, unless there is one.

    ``ray get-auth-token --generate`` makes one too, in a file that every user of the machine can read.

    Parameters
    ----------
    environment : mapping
        Variables of the environment, of which RAY_AUTH_TOKEN_PATH may name another file than ``~/.ray/auth_token``.

    Returns
    -------
    path : Path
    is_new : bool
        Whether it was made now; an older one is left as it is, for its owner alone.

    Raises
    ------
    RunError
        The file cannot be written, or something that is no token has its name.
    """
    path, is_new = token_path(environment), False
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            # Under another name first: whoever starts Ray meanwhile finds a whole token or none.
            part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            with suppress(FileExistsError):
                os.link(part, path)  # unlike a renaming it never replaces a token that was made at the same moment
                is_new = True
            part.unlink()
        if not holds_token(path):
            raise RunError(f"token: {path} is empty or no file; take it away, and run the same command again")
        path.chmod(path.stat().st_mode & ~_OTHERS)
    except OSError as error:
        raise RunError(
            f"token: {path} cannot be written ({error}); name another file in RAY_AUTH_TOKEN_PATH"
        ) from error
    return path, is_new
