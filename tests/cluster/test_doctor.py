"""Examinations: of this machine, of broken cluster files, and of the nodes of a real cluster of Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sweepengine.cli import main
from sweepengine.cluster import examine, make_token
from sweepengine.cluster._file import check_file
from sweepengine.cluster._machine import compare, judge, judge_clock
from sweepengine.cluster._probe import Facts, probe, try_store
from sweepengine.errors import RunError
from sweepengine.execute import cannot_join

if TYPE_CHECKING:
    from sweepengine.cluster import Check

ROOT = Path(__file__).parents[2]
GIB = 2**30


def wrong(checks: list[Check]) -> list[str]:
    """The lines that do not pass; each of them has a cure, and the others have none."""
    assert all(bool(check.cure) == (check.verdict != "pass") for check in checks)
    return [f"{check.verdict} {check.subject}: {check.found}" for check in checks if check.verdict != "pass"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with a token, and the folder of the repository, from which cluster files are used."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.chdir(ROOT)
    make_token({})
    return tmp_path


@pytest.mark.parametrize("name", ["cluster.yaml", "clusters/local.yaml"])
@pytest.mark.usefixtures("home")
def test_our_cluster_files_are_sound(name: str) -> None:
    assert wrong(check_file(name)) == []


AWS: dict[str, Any] = {
    "cluster_name": "c",
    "provider": {"type": "aws", "region": "eu-central-1"},
    "max_workers": 4,
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {}, "node_config": {"InstanceType": "m6i.large"}},
        "cpu": {"min_workers": 1, "max_workers": 4, "resources": {}, "node_config": {}},
    },
    "file_mounts": {"~/.ray/auth_token": "~/.ray/auth_token"},
    "head_start_ray_commands": ["RAY_AUTH_MODE=token ray start --head"],
    "worker_start_ray_commands": ["RAY_AUTH_MODE=token ray start --address=$RAY_HEAD_IP:6379"],
}
LOCAL = {"provider": {"type": "local", "head_ip": "a", "worker_ips": ["b", "c"]}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"provider": {"type": "aws"}}, ["fail provider.region: missing"]),
        ({"provider": {"type": "awz"}}, ["fail provider.type: found 'awz'. Did you mean 'aws'?"]),
        (
            {"provider": {"type": "gcp", "region": "r"}},
            ["fail provider.availability_zone: missing", "fail provider.project_id: missing"],
        ),
        ({"head_node_type": "haed"}, ["fail head_node_type: found 'haed'. Did you mean 'head'?"]),
        ({"head_node_type": None}, ["fail head_node_type: missing"]),
        (
            {"available_node_types": AWS["available_node_types"]
             | {"cpu": AWS["available_node_types"]["cpu"] | {"min_workers": 5}}},
            [
                "fail node type cpu: min_workers 5 is more than max_workers 4",
                "fail max_workers: 4, and the types' min_workers are 5 together",
            ],
        ),
        ({"max_workers": 3}, ["warn node type cpu: max_workers 4, and of all types together 3"]),
        ({"available_node_types": None, "head_node_type": None}, ["warn available_node_types: missing"]),
        ({"file_mounts": {"~/.ray/auth_token": "~/.ray/other"}},
         ["fail file_mounts ~/.ray/auth_token: ~/.ray/other is not on this machine"]),
        ({"file_mounts": None}, ["fail token: RAY_AUTH_MODE=token, and no machine is given a token"]),
        ({"auth": {"ssh_private_key": "~/none.pem"}}, ["fail auth.ssh_private_key: ~/none.pem is not on this machine"]),
        (
            {"head_start_ray_commands": ["ray start --head"]},
            ["warn head_start_ray_commands: ray starts without a token: who reaches the head may run programs"],
        ),
        (LOCAL | {"available_node_types": None, "head_node_type": None, "max_workers": 1},
         ["warn max_workers: 1, with 2 workers named"]),
        ({"min_workers": 1}, ["the whole: Additional properties are not allowed ('min_workers' was unexpected)"]),
        ({"max_workers": "4"}, ["max_workers: '4' is not of type 'integer'"]),
    ],
)  # fmt: skip
def test_what_ray_up_would_find_out_too_late(home: Path, changes: dict[str, Any], said: list[str]) -> None:
    content = {name: value for name, value in (AWS | changes).items() if value is not None}
    path = home / "cluster.yaml"
    path.write_text(yaml.safe_dump(content))
    expected = [each if each[:5] in {"fail ", "warn "} else f"fail file {path}: {each}" for each in said]
    assert wrong(check_file(path)) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"a: [", "is no YAML"), (b"\xff\xfe\xff", "is no YAML"),
     (b"", "the whole: None is not of type")],
)  # fmt: skip
def test_what_is_no_cluster_file(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "c.yaml").write_bytes(content)
    [check] = check_file(tmp_path / "c.yaml")
    assert check.verdict == "fail"
    assert said in check.found


def test_a_token_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path, is_new = make_token({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "deep" / "token")})
    token = path.read_text()
    assert (len(token), is_new, path.stat().st_mode & 0o777) == (64, True, 0o600)
    path.chmod(0o644)  # as Ray's own command makes it
    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}
    assert wrong(next(examine(environment))) == [f"warn token: in {path}, which others can read"]
    assert make_token(environment) == (path, False)
    assert (path.read_text(), path.stat().st_mode & 0o777) == (token, 0o600)
    assert [each.name for each in path.parent.iterdir()] == ["token"]
    assert wrong(next(examine(environment))) == []
    assert wrong(next(examine(environment | {"RAY_AUTH_MODE": "disabled"}))) == [
        f"warn token: in {path}, and is not sent"
    ]
    path.unlink()
    assert wrong(next(examine(environment))) == [f"fail token: none in {path}, and RAY_AUTH_MODE=token asks for one"]
    assert wrong(next(examine({"RAY_AUTH_TOKEN_PATH": str(path)}))) == []
    assert wrong(next(examine(environment | {"RAY_AUTH_TOKEN": token}))) == []
    path.write_text("")
    assert wrong(next(examine(environment))) == [f"fail token: none in {path}, and RAY_AUTH_MODE=token asks for one"]
    for there in (path, tmp_path):
        with pytest.raises(RunError, match=f"{there} is empty or no file; take it away"):
            make_token({"RAY_AUTH_TOKEN_PATH": str(there)})
    with pytest.raises(RunError, match="cannot be written"):
        make_token({"RAY_AUTH_TOKEN_PATH": str(path / "below")})


def test_this_machine_is_sound_and_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "written, read, deleted" in said
    assert "FAIL" not in said
    assert main(["doctor", "--store", "deep/er/a.zarr"]) == 0
    assert list(tmp_path.iterdir()) == []
    Path("file").write_text("")
    assert main(["doctor", "--store", "file/a.zarr", "--cluster", "none.yaml"]) == 1
    said = capsys.readouterr().out
    assert said.count("FAIL") == 2
    assert "FAIL file none.yaml: cannot be read" in said
    assert f"store {tmp_path}/file/a.zarr: NotADirectoryError" in said
    assert main(["doctor", "--store", "a.zar"]) == 2


FACTS = Facts(
    host="n1", python="3.11.7", executable="/e/python",
    versions={"sweepengine": "1", "torch": "2.9", "ray": "2.60", "zarr": "3.1"},
    cpus=4, disk="/scratch", disk_free=50 * GIB, shm_free=GIB, gpus=0, cuda="", store="",
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"python": "3.10.2"}, ["fail n1 python: 3.10.2 (/e/python), 4 CPUs"]),
        ({"versions": {"torch": "", "ray": "2"}}, ["fail n1 packages: torch missing, ray 2"]),
        ({"disk_free": 10**9}, ["warn n1 disk: 1.0 GB free in /scratch"]),
        ({"disk_free": 10**7}, ["fail n1 disk: 0.0 GB free in /scratch"]),
        ({"shm_free": 64 * 2**20}, ["warn n1 shared memory: 0.1 GB free"]),
        ({"shm_free": -1}, []),
        ({"gpus": 2}, ["fail n1 GPUs: 2, and PyTorch for CPUs"]),
        ({"gpus": 2, "cuda": "12.8"}, ["warn n1 GPUs: 2 by nvidia-smi, 0 by Ray; PyTorch for CUDA 12.8"]),
        ({"store": "PermissionError: no"}, ["fail n1 store s3://b/a.zarr: PermissionError: no"]),
    ],
)
def test_what_is_wrong_with_a_machine(changes: dict[str, Any], said: list[str]) -> None:
    facts: Any = FACTS | changes
    assert wrong(judge(facts, store="s3://b/a.zarr", ray_gpus=0.0)) == said


def test_versions_and_clocks_are_those_of_the_driver() -> None:
    there: Any = FACTS | {"versions": FACTS["versions"] | {"torch": "2.8"}}
    assert wrong(compare(FACTS, FACTS)) == []
    assert wrong(compare(there, FACTS)) == ["warn n1 versions: torch 2.8, not 2.9"]
    there = FACTS | {"versions": FACTS["versions"] | {"ray": ""}, "python": "3.12.1"}
    assert wrong(compare(there, FACTS)) == ["fail n1 versions: ray missing, not 2.60; python 3.12.1, not 3.11.7"]
    there = FACTS | {"python": "3.11.9"}
    assert wrong(compare(there, FACTS)) == []
    assert wrong([judge_clock("n1", -4.0, 0.1), judge_clock("n1", 7.0, 3.0)]) == []
    assert wrong([judge_clock("n1", -6.0, 0.5)]) == ["warn n1 clock: -6.00 s ± 0.50 s from the driver's"]


def test_a_store_that_another_machine_does_not_share(tmp_path: Path) -> None:
    assert try_store(str(tmp_path / "a.zarr")) == ""
    assert try_store(str(tmp_path / "a.zarr"), "0" * 32) == "it is not the same place as on the machine of the driver"
    assert "unknown" in try_store("ftq://a.zarr").lower() or try_store("ftq://a.zarr")
    assert probe()["store"] == ""


def test_a_cluster_that_lets_nobody_in_may_want_a_token() -> None:
    said = str(cannot_join("head:6379", ConnectionError("Failed to connect to Ray cluster at head:6379")))
    assert "set RAY_AUTH_MODE=token" in said
    assert "Failed to connect" in said


ON_TWO_NODES = """
import os, sys
# Before ray is imported: it would listen beyond this machine.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled"}
from ray.cluster_utils import Cluster
from sweepengine.cli import main

small = dict(include_dashboard=False, object_store_memory=80 * 2**20, num_cpus=1)
cluster = Cluster(initialize_head=True, head_node_args=dict(node_ip_address="127.0.0.1", **small))
try:
    cluster.add_node(node_ip_address="127.0.0.2", num_gpus=2, **small)
    code = main(["doctor", "--address", cluster.address, "--store", sys.argv[1]])
finally:
    cluster.shutdown()
sys.exit(code)
"""


def test_every_node_of_a_cluster_is_asked(tmp_path: Path) -> None:
    store = tmp_path / "deep" / "a.zarr"
    command = [sys.executable, "-c", ON_TWO_NODES, str(store)]
    environment = os.environ | {"HOME": str(tmp_path)}
    found = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    lines = found.stdout.splitlines()
    assert sum(f"store {store}: written, read, deleted" in line for line in lines) == 3  # this machine and two nodes
    assert sum("versions: those of the driver's machine" in line for line in lines) == 2
    assert sum(" s from the driver's" in line for line in lines) == 2
    [gpus] = [line for line in lines if line.startswith("warn")]
    assert "0 by nvidia-smi, 2 by Ray; PyTorch for CPUs" in gpus
    assert not store.parent.exists()
    assert json.dumps(lines).count("FAIL") == 0
