"""The one private door of zarr that the store goes through: where it is, and that it does what the store needs."""

from __future__ import annotations

import importlib
import re
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

CHECKED_WITH = "3.1.6"
"""The version of zarr with which sweepengine/store/_zarr.py was last read against zarr's source."""


@pytest.fixture
def sync() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    try:
        door = importlib.import_module("sweepengine.store._zarr")
    except ImportError as error:
        pytest.fail(
            f"zarr {version('zarr')} has no zarr.core.sync.sync ({error}), which was there in {CHECKED_WITH}: find how "
            "it runs a coroutine in its event loop now, and mend sweepengine/store/_zarr.py"
        )
    found: Callable[[Coroutine[Any, Any, Any]], Any] = door.sync
    return found


async def where() -> int:
    return threading.get_ident()


async def fails() -> None:
    raise KeyError("x")


def test_a_coroutine_runs_in_one_loop_whichever_thread_asks(
    sync: Callable[[Coroutine[Any, Any, Any]], Any],
) -> None:
    loop = sync(where())
    assert loop != threading.get_ident()
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(sync(where())))
    thread.start()
    thread.join()
    assert seen == [loop]
    with pytest.raises(KeyError):
        sync(fails())


def test_the_version_that_is_pinned_was_checked() -> None:
    """Who raises the pin looks at zarr's private door, and writes the version here."""
    pins = (Path(__file__).parents[2] / "constraints.txt").read_text()
    assert re.findall(r"^zarr==(.*)$", pins, flags=re.MULTILINE) == [CHECKED_WITH]
