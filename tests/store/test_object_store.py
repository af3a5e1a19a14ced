"""A store in a bucket: the same sweeps, the same guarantees, against a real S3 server."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.buffer import default_buffer_prototype

import sweepengine
from sweepengine.errors import StoreError
from sweepengine.store import local_folder, normalise_address, open_address
from sweepengine.store._credentials import shared_settings
from sweepengine.store._objects import delete_object, get_object, list_objects, put_object
from sweepengine.store._zarr import sync
from tests.support.stores import numbers_wherever

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROTOTYPE = default_buffer_prototype()


def test_objects_are_written_read_listed_and_deleted(bucket: str) -> None:
    store = open_address(f"s3://{bucket}/deep/x.zarr", read_only=False)
    assert list_objects(store, "") == []
    assert get_object(store, "no/such") is None
    content = {f"a/{number}": bytes([number]) * 10 for number in range(12)} | {"ab/0": b"0123456789", "b": b""}
    for key, value in content.items():
        put_object(store, key, value)
    assert {key: get_object(store, key) for key in content} == content
    assert list_objects(store, "") == sorted(content)
    assert list_objects(store, "a/") == sorted(key for key in content if key.startswith("a/"))
    assert sync(_all(store.list_dir("a"))) == sorted(str(number) for number in range(12))
    delete_object(store, "b")
    delete_object(store, "b")
    assert get_object(store, "b") is None
    assert not sync(store.exists("b"))
    for wanted, expected in (
        (RangeByteRequest(2, 5), b"234"),
        (OffsetByteRequest(7), b"789"),
        (SuffixByteRequest(4), b"6789"),
    ):
        found = sync(store.get("ab/0", PROTOTYPE, wanted))
        assert found is not None
        assert found.to_bytes() == expected
    assert pickle.loads(pickle.dumps(store)) == store  # noqa: S301 -- dask graphs travel so
    with pytest.raises(ValueError, match="read-only"):
        put_object(open_address(f"s3://{bucket}/deep/x.zarr", read_only=True), "c", b"")


async def _all(keys: Any) -> list[str]:
    return sorted([key async for key in keys])


def test_a_sweep_in_a_bucket_is_that_on_a_disk(
    tiny: Callable[..., dict[str, Any]], bucket: str, tmp_path: Path
) -> None:
    """Created, extended, refused to other settings, and opened by readers that know zarr and xarray alone."""
    address = f"s3://{bucket}/tiny.zarr"
    assert sweepengine.run(tiny(axes={"width": [8]}), address, executor="inline").done == 4
    assert sweepengine.run(tiny(), address, executor="inline").skipped == 4
    sweepengine.run(tiny(), tmp_path / "tiny.zarr", executor="inline")
    found, expected = numbers_wherever(address), numbers_wherever(tmp_path / "tiny.zarr")
    xr.testing.assert_identical(found.sortby("id"), expected.sortby("id"))
    with pytest.raises(StoreError, match="other fixed settings"):
        sweepengine.run(tiny(network={"sigma_w": 1.5}), address, executor="inline")
    objects = open_address(address, read_only=True)
    tree = xr.open_datatree(objects, engine="zarr")  # type: ignore[arg-type]
    blocks = [group for path, group in tree.to_dict().items() if path.startswith("/blocks/")]
    assert sum(int(group.records_done.sum()) for group in blocks if "records_done" in group) == 8 * 6
    path = next(key for key in list_objects(objects, "blocks/") if key.endswith("/kernel/zarr.json"))
    kernel: Any = zarr.open_array(objects, path=path.removesuffix("/zarr.json"), mode="r")
    assert np.isfinite(kernel[...]).all()


def test_addresses(tmp_path: Path) -> None:
    assert local_folder("s3://bucket/x.zarr") is None
    assert normalise_address(f"file://{tmp_path}/x.zarr") == normalise_address(tmp_path / "x.zarr")
    assert normalise_address("gs://bucket/x.zarr/") == "gs://bucket/x.zarr"
    with pytest.raises(StoreError, match=r"found ftp://; expected a path, or a URL that begins with file://, s3://"):
        open_address("ftp://far/x.zarr", read_only=True)
    assert open_address("gs://bucket/x.zarr", read_only=True) == open_address("gs://bucket/x.zarr", read_only=True)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "sweepengine.store._object_store", raising=False)
    for url, extra in (("s3://bucket/x.zarr", "s3"), ("gs://bucket/x.zarr", "gcs")):
        with pytest.raises(StoreError, match=rf"pip install 'sweepengine\[{extra}\]'"):
            open_address(url, read_only=True)


def test_keys_come_from_the_files_of_the_aws_tools(tmp_path: Path) -> None:
    keys, config = tmp_path / "credentials", tmp_path / "config"
    keys.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b%c\n[lab]\naws_access_key_id = l\n")
    config.write_text("[default]\nregion = eu-west-1\n[profile lab]\nendpoint_url = http://lab:9000\n")
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(keys), "AWS_CONFIG_FILE": str(config)}
    usual = {"aws_access_key_id": "a", "aws_secret_access_key": "b%c", "aws_region": "eu-west-1"}
    assert shared_settings(files) == usual
    assert shared_settings(files | {"AWS_ACCESS_KEY_ID": "mine", "AWS_REGION": "us-west-2"}) == {}
    lab = {"aws_access_key_id": "l", "aws_endpoint_url": "http://lab:9000"}
    assert shared_settings(files | {"AWS_PROFILE": "lab"}) == lab
    assert shared_settings({name: str(tmp_path / "none") for name in files}) == {}
    with pytest.raises(StoreError, match="AWS_PROFILE is 'lob'"):
        shared_settings(files | {"AWS_PROFILE": "lob"})
    keys.write_text("no section\n")
    with pytest.raises(StoreError, match="credentials cannot be read"):
        shared_settings(files)
