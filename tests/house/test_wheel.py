"""What an installation holds: one top-level name, all of its files, the jobs, and one version."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

import sweepengine
from sweepengine.cli import main
from sweepengine.errors import SpecError
from sweepengine.spec import job_names, job_path, read_spec

ROOT = Path(__file__).parents[2]
FOLDERS = {"analysis": "sweepengine/analysis", "jobs": "sweepengine/jobs"}
"""Folders of the root, and where an installation has them."""


def built(root: Path, target: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    backend = import_module("hatchling.build")
    monkeypatch.chdir(root)
    return folder / str(getattr(backend, f"build_{target}")(str(folder)))


def content(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel but its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


def test_a_wheel_holds_the_package_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = content(built(ROOT, "wheel", tmp_path, monkeypatch))
    sources = {
        path: path.relative_to(ROOT).as_posix()
        for folder in ("sweepengine", *FOLDERS)
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not {"__pycache__", "notebooks"} & set(path.parts)  # a reader's, and in the archive alone
    }
    expected = {
        next((at + name.removeprefix(top) for top, at in FOLDERS.items() if name.startswith(f"{top}/")), name): path
        for path, name in sources.items()
    }
    assert {"sweepengine/py.typed", "sweepengine/analysis/page/style.css", "sweepengine/jobs/cnn.py"} <= set(expected)
    assert found == {name: path.read_bytes() for name, path in expected.items()}


def test_the_source_archive_makes_the_same_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(built(ROOT, "sdist", tmp_path, monkeypatch)) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    [source] = (tmp_path / "source").iterdir()
    again = built(source, "wheel", tmp_path / "source", monkeypatch)
    assert content(again) == content(built(ROOT, "wheel", tmp_path, monkeypatch))
    assert (source / "tests" / "house" / "test_wheel.py").is_file()


@pytest.mark.parametrize("target", ["wheel", "editable"])
def test_an_installation_leaves_the_name_analysis_to_its_users(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both kinds of installation beside a user's own folder `analysis`; the process sees nothing of this checkout."""
    site, notebook = tmp_path / "site", tmp_path / "notebook"
    with zipfile.ZipFile(built(ROOT, target, tmp_path, monkeypatch)) as archive:
        archive.extractall(site)  # noqa: S202 (we have just built it)
    [metadata] = site.glob("*.dist-info/METADATA")
    assert f"\nVersion: {sweepengine.__version__}\n" in metadata.read_text()
    (notebook / "analysis").mkdir(parents=True)
    (notebook / "analysis" / "__init__.py").write_text("mine = True")
    program = f"""
import os, site, sys
sys.path = [each for each in sys.path if not os.path.isdir(os.path.join(each, "sweepengine"))]
sys.meta_path = [each for each in sys.meta_path if "editable" not in repr(each).lower()]
sys.modules.pop("_editable_impl_sweepengine", None)  # of the installation that runs these tests
site.addsitedir({str(site)!r})
import analysis, sweepengine, sweepengine.analysis
assert analysis.mine and sweepengine.analysis.summarise
assert sweepengine.__file__.startswith({str(ROOT if target == "editable" else site)!r}), sweepengine.__file__
from sweepengine.spec import job_path
assert job_path("quickstart").is_file()
for name in ("tests", "jobs", "benchmarks"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise AssertionError(name)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=notebook)
    assert found.returncode == 0, found.stderr


def test_the_package_has_one_name() -> None:
    """From the root the folder can be reached by its other name too, which would load every class a second time."""
    program = "import analysis"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert "from sweepengine import analysis" in found.stderr.splitlines()[-1]
    assert sweepengine.analysis.__name__ == "sweepengine.analysis"


def test_every_name_that_the_package_offers_is_there() -> None:
    assert {"read_spec", "SweepSpec", "ParticleSpec", "SpecError", "observe", "analysis"} <= set(sweepengine.__all__)
    for name in sweepengine.__all__:
        assert getattr(sweepengine, name) is not None, name
    with pytest.raises(AttributeError, match=r"no attribute 'summarise'; it has .*analysis"):
        _ = sweepengine.summarise


@pytest.mark.parametrize("name", job_names())
def test_jobs_are_known_by_name(name: str) -> None:
    assert read_spec(job_path(name)).name == name
    assert {path.stem for path in (ROOT / "jobs").glob("*.yaml")} == set(job_names())


def test_a_job_is_run_by_its_name_and_its_file_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "quickstart"]) == 0
    said = capsys.readouterr()
    assert "112: 0 done" in said.out
    assert said.err == f"job:    {job_path('quickstart')}\n"
    assert main(["plan", "quikstart"]) == 2
    assert f"Did you mean 'quickstart'? Packaged jobs: {', '.join(job_names())};" in capsys.readouterr().err
    with pytest.raises(SpecError, match=r"'9' is neither a file nor a packaged job\. Packaged"):
        job_path("9")
    # A file of that name is the user's; and nothing is executed unless it was asked for.
    Path("quickstart").write_text("name: mine")
    assert main(["plan", "quickstart"]) == 2
    assert "quickstart: data: missing" in capsys.readouterr().err
    assert main(["plan", "cnn"]) == 2
    said = capsys.readouterr()
    plugin = job_path("cnn").with_suffix(".py")
    assert f"cnn.yaml; it needs --plugin {plugin}\n" in said.err
    assert "did you forget --plugin FILE" in said.err
    assert main(["plan", "cnn", "--plugin", str(plugin)]) == 0
