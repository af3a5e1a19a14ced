"""Submission without a cluster: what travels, what the job is called, what it runs, and what is refused."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sweepengine.cluster import Job, Jobs, submit
from sweepengine.cluster._jobs import STORE, TakenError
from sweepengine.cluster._parcel import pack
from sweepengine.errors import DataError, RunError, SpecError
from sweepengine.options import RunOptions
from sweepengine.spec import read_spec
from tests.support.particle_sweeps import TEACHER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sweepengine.spec import AnySpec

    Tiny = Callable[..., dict[str, Any]]


class FakeJobs(Jobs):
    """The job server of a cluster that runs nothing. A fake of our own class: Ray's server is in test_jobs.py."""

    def __init__(self) -> None:
        self.address = "http://fake:8265"
        self.jobs: dict[str, Job] = {}
        self.commands: dict[str, list[str]] = {}
        self.rival = False

    def all(self) -> list[Job]:
        return list(self.jobs.values())

    def start(self, job: str, command: str, folder: Path, metadata: Mapping[str, str]) -> None:
        assert (folder / "sweepengine" / "jobs" / "quickstart.yaml").is_file()  # the links' files travel, not the links
        assert not list(folder.rglob("__pycache__"))
        if self.rival:
            raise TakenError("already exists")
        self.commands[job] = shlex.split(command)
        self.jobs[job] = Job(job, "RUNNING", metadata[STORE], "", len(self.jobs), None, "")

    def end(self, job: str, status: str) -> None:
        self.jobs[job] = Job(job, status, self.jobs[job].store, "", self.jobs[job].began, None, "")


def spec_of(folder: Path, content: dict[str, Any]) -> AnySpec:
    (folder / "sweep.yaml").write_text(json.dumps(content))
    return read_spec(folder / "sweep.yaml")


def test_one_sweep_in_one_store_has_one_live_job(tmp_path: Path, tiny: Tiny) -> None:
    jobs, spec = FakeJobs(), spec_of(tmp_path, tiny())
    first = submit(jobs, spec, "/shared/a.zarr")
    assert first.is_new
    assert first.job.startswith("tiny-")
    assert submit(jobs, spec, "/shared/a.zarr/", options=RunOptions(commit_seconds=3)).job == first.job
    assert not submit(jobs, spec, "/shared/a.zarr").is_new
    others = {
        submit(jobs, spec, "/shared/b.zarr").job,
        submit(jobs, spec_of(tmp_path, tiny(axes={"seed": 3})), "/shared/a.zarr").job,
    }
    assert len({first.job, *others}) == 3
    for number, status in ((2, "STOPPED"), (3, "FAILED"), (4, "SUCCEEDED")):
        jobs.end(list(jobs.jobs)[-1] if number > 2 else first.job, status)
        again = submit(jobs, spec, "/shared/a.zarr")
        assert (again.job, again.is_new) == (f"{first.job}-{number}", True)
    # Of two submissions at the same moment the later one attaches, too.
    jobs.jobs.clear()
    jobs.rival = True
    assert submit(jobs, spec, "/shared/a.zarr") == submit(jobs, spec, "/shared/a.zarr")
    assert not submit(jobs, spec, "/shared/a.zarr").is_new


def test_what_a_job_runs(tmp_path: Path, tiny: Tiny) -> None:
    plugin = tmp_path / "my models.py"
    plugin.write_text("")
    jobs = FakeJobs()
    how = RunOptions(durability="fsync", take_over=True, runs_per_turn=4)
    job = submit(jobs, spec_of(tmp_path, tiny()), "s3://bucket/a b.zarr", [plugin], how).job
    assert jobs.commands[job] == [
        *("exec", "python", "-m", "sweepengine", "run", "spec.yaml", "--plugin", "plugins/0/my models.py"),
        *("--store", "s3://bucket/a b.zarr", "--address", "auto", "--no-report"),
        *("--runs-per-turn", "4", "--take-over", "--durability", "fsync"),
    ]


@pytest.mark.parametrize("is_absolute", [False, True])
def test_files_of_every_kind_of_spec_travel(tmp_path: Path, tiny: Tiny, is_absolute: bool) -> None:
    (tmp_path / "data").mkdir()
    files = {name: tmp_path / "data" / f"{name}.npz" for name in ("points", "weights", "cloud")}
    for number, path in enumerate(files.values()):
        np.savez(path, x=np.full(2, number))
    named = {name: str(path if is_absolute else path.relative_to(tmp_path)) for name, path in files.items()}
    network = {"depth": 1, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.0, "weights": named["weights"]}
    networks = tiny(axes={"width": [8]}) | {"data": {"name": "file", "path": named["points"]}, "network": network}
    found = []
    for number, content in enumerate((networks, TEACHER | {"reference": named["cloud"]})):
        folder = tmp_path / f"parcel{number}"
        folder.mkdir()
        parcel = pack(spec_of(tmp_path, content), [], folder)
        moved = read_spec(folder / parcel.words[0])  # as the job reads it, from where it runs
        assert moved.name == content["name"]
        sent = sorted(path.relative_to(folder) for path in (folder / "files").rglob("*.npz"))
        found += [folder / path for path in sent]
        text = (folder / "spec.yaml").read_text()
        assert all(str(path) in text for path in sent)
        assert str(tmp_path) not in text
    assert [path.name for path in found] == ["points.npz", "weights.npz", "cloud.npz"]
    assert [path.read_bytes() for path in found] == [path.read_bytes() for path in files.values()]


def test_the_content_of_files_and_plugins_tells_sweeps_apart(tmp_path: Path, tiny: Tiny) -> None:
    np.savez(tmp_path / "points.npz", x=np.zeros(2))
    plugin = tmp_path / "plugin.py"
    plugin.write_text("one = 1")
    spec = spec_of(tmp_path, tiny() | {"data": {"name": "file", "path": "points.npz"}})

    def digest() -> str:
        return pack(spec, [plugin], Path(tempfile.mkdtemp(dir=tmp_path))).digest

    seen = [digest()]
    assert digest() == seen[0]
    plugin.write_text("one = 2")
    seen += [digest()]
    np.savez(tmp_path / "points.npz", x=np.ones(2))
    seen += [digest()]
    assert len(set(seen)) == 3
    (tmp_path / "points.npz").unlink()
    with pytest.raises(DataError, match=r"points\.npz: cannot be read, and has to travel"):
        digest()


def test_a_store_that_the_cluster_cannot_see_is_refused(tmp_path: Path, tiny: Tiny) -> None:
    jobs, spec = FakeJobs(), spec_of(tmp_path, tiny())
    with pytest.raises(SpecError, match=r"found 'results/a\.zarr', a path of this machine's; .* absolute path"):
        submit(jobs, spec, "results/a.zarr")
    with pytest.raises(SpecError, match="lives in one process"):
        submit(jobs, spec, "memory://a.zarr")
    with pytest.raises(SpecError, match="workers: is for a cluster on this machine"):
        submit(jobs, spec, "/shared/a.zarr", options=RunOptions(workers=2))
    with pytest.raises(SpecError, match=r"address: found 'head:6379'; expected .* http://head:8265"):
        Jobs("head:6379")
    assert not jobs.jobs


def test_jobs_are_found_by_store_or_id(tmp_path: Path, tiny: Tiny) -> None:
    jobs, spec = FakeJobs(), spec_of(tmp_path, tiny())
    job = submit(jobs, spec, "/shared/a.zarr").job
    jobs.end(job, "FAILED")
    second = submit(jobs, spec, "/shared/a.zarr").job
    assert jobs.find("/shared/a.zarr").id == second
    assert jobs.find(job).id == job
    with pytest.raises(
        RunError, match=rf"knows no job of '{job}0'\. Did you mean '{job}'\? Jobs of sweepengine there: {job}"
    ):
        jobs.find(f"{job}0")
    with pytest.raises(RunError, match=r"knows no job of /shared/other\.zarr\."):
        jobs.find("/shared/other.zarr")


@pytest.mark.parametrize(
    ("status", "exit_code", "code"),
    [("SUCCEEDED", 0, 0), ("FAILED", 2, 2), ("FAILED", None, 1), ("STOPPED", None, 143)],
)
def test_the_exit_code_of_a_job(status: str, exit_code: int | None, code: int) -> None:
    assert Job("a", status, "", "", 0, exit_code, "").code == code
