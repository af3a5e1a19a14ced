"""What several tests share: small specs, examples without chance, one BLAS thread."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import settings

from tests.support.object_stores import Proxy, new_bucket, s3_server, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The same examples every time, and no example fails because the machine was busy.
settings.register_profile("house", derandomize=True, deadline=None)
settings.load_profile("house")

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 12, "n_test": 10},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.0},
    "training": {"loss": "mse", "step_size": 0.25, "time": 5.0, "records": {"spacing": "log", "count": 6}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [8, 16], "seed": 2},
    "precision": "float64",
}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with nested changes."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        result[key] = (
            merged(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
        )
    return result


@pytest.fixture(scope="session")
def tiny() -> Callable[..., dict[str, Any]]:
    """A spec of eight runs that takes a fraction of a second, with changes by section."""
    return lambda **changes: merged(TINY, changes)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """Port of a real S3 server on loopback."""
    with s3_server() as port:
        yield port


@pytest.fixture
def proxy(s3_port: int) -> Iterator[Proxy]:
    """What stands between the tests and the S3 server."""
    between = Proxy(s3_port)
    yield between
    between.close()


@pytest.fixture
def bucket(s3_port: int, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket; this process and its children reach it through the proxy."""
    for name, value in settings_of(proxy.port).items():
        monkeypatch.setenv(name, value)
    return new_bucket(s3_port)
