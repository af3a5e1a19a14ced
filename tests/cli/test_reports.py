"""A finished sweep again: what is printed and reported is up to date, and made anew only if something has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

import sweepengine
from sweepengine import reports
from sweepengine.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "digits", "classes": [3, 8], "n_train": 12, "n_test": 10},
    "network": {"depth": 1, "activation": "tanh", "sigma_w": 1.4, "sigma_b": 0.0},
    "training": {"loss": "mse", "step_size": 0.25, "time": 5.0, "records": {"spacing": "log", "count": 6}},
    "axes": {"scaling": ["ntk", "mean_field"], "width": [8, 16, 32], "seed": 3},
    "precision": "float64",
}
REPORT, STORE = Path("results/tiny.report"), Path("results/tiny.zarr")
FILES = ("report.html", "report.json", "report.md")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder in which a sweep was run, and a copy of it."""
    folder, copy = tmp_path_factory.mktemp("sweep") / "folder", tmp_path_factory.mktemp("kept") / "copy"
    folder.mkdir()
    (folder / "spec.yaml").write_text(yaml.safe_dump(SPEC))
    before = Path.cwd()
    os.chdir(folder)
    assert main(["run", "spec.yaml", "--executor", "inline"]) == 0
    os.chdir(before)
    shutil.copytree(folder, copy)
    return folder, copy


@pytest.fixture(autouse=True)
def _finished(kept: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder as it was, as the current one; reports name the place of their store, so it is always the same."""
    folder, copy = kept
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    monkeypatch.chdir(folder)


@pytest.fixture
def again(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the sweep again, and return what it prints."""

    def run(*options: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(["run", "spec.yaml", "--executor", "inline", *options]) == code
        said = capsys.readouterr()
        return said.out if code == 0 else said.err

    return run


@pytest.fixture
def reduced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stores that were opened and reduced."""
    opened: list[str] = []

    def open_sweep(url: str) -> Any:
        opened.append(url)
        return sweepengine.open_sweep(url)

    monkeypatch.setattr("sweepengine.reports.open_sweep", open_sweep)
    return opened


def written() -> dict[str, tuple[int, bytes]]:
    return {name: ((REPORT / name).stat().st_mtime_ns, (REPORT / name).read_bytes()) for name in FILES}


def anew(again: Callable[..., str]) -> tuple[str, dict[str, bytes]]:
    """What is printed and written where there is no stamp."""
    (REPORT / reports.STAMP).unlink(missing_ok=True)
    return again(), {name: (REPORT / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("columns", ["80", "120"])
def test_nothing_changed(
    columns: str, again: Callable[..., str], reduced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    before = written()
    said = again()
    assert written() == before
    assert reduced == []
    assert anew(again) == (said, {name: content for name, (_, content) in before.items()})
    assert len(reduced) == 1  # the fixture can see what it looks for


def test_a_finished_sweep_again_imports_what_it_needs_only() -> None:
    program = (
        "import sys; from sweepengine.cli import main; code = main(['run', 'spec.yaml']);"
        "heavy = {'torch', 'ray', 'matplotlib', 'altair', 'sklearn', 'dask', 'xarray', 'scipy'} & set(sys.modules);"
        "sys.exit(f'{code} {heavy}' if heavy or code else 0)"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    (REPORT / reports.STAMP).unlink()
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert all(name in found.stderr for name in ("altair", "dask", "scipy"))  # the test can see what it looks for


def test_another_spec_extends_the_store(again: Callable[..., str], reduced: list[str]) -> None:
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC | {"axes": SPEC["axes"] | {"seed": 4}}))
    said = again()
    assert "24 runs" in said
    assert len(reduced) == 1
    page = (REPORT / "report.html").read_bytes()
    assert again() == said
    assert len(reduced) == 1
    assert anew(again) == (said, {"report.html": page} | {name: (REPORT / name).read_bytes() for name in FILES[1:]})


def damage(path: Path) -> None:
    """Change a byte in the middle of a file, which keeps its size and its time."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_damaged_chunk_is_said_and_repaired(again: Callable[..., str], reduced: list[str]) -> None:
    before = written()
    damage(max(STORE.glob("blocks/*/kernel/c/**/*"), key=lambda path: path.is_file() and path.stat().st_size))
    assert "is damaged" in again(code=2)
    assert main(["repair", str(STORE)]) == 0
    said = again()
    # The mark of the runs that were computed again has another attempt, and the same numbers.
    assert {name: json.loads(content)["groups"] for name, (_, content) in before.items() if name == FILES[1]} == {
        FILES[1]: json.loads((REPORT / FILES[1]).read_bytes())["groups"]
    }
    seen = len(reduced)
    assert again() == said
    assert len(reduced) == seen


@pytest.mark.filterwarnings("always::sweepengine.errors.DamageWarning")
def test_what_is_shown_of_a_damaged_store_is_said_each_time(
    capsys: pytest.CaptureFixture[str], reduced: list[str]
) -> None:
    damage(next(STORE.glob("data/*/y_train/c/0")))
    for count in (1, 2):
        assert main(["run", "spec.yaml", "--executor", "inline"]) == 0
        assert "is damaged, and is shown without this" in capsys.readouterr().err
        assert len(reduced) == count


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", ["deleted", "edited"])
def test_a_report_that_is_not_what_was_written_is_written_again(
    name: str, change: str, again: Callable[..., str]
) -> None:
    before = written()
    (REPORT / name).unlink() if change == "deleted" else (REPORT / name).write_text("a note of mine")
    again()
    assert {each: content for each, (_, content) in written().items()} == {
        each: content for each, (_, content) in before.items()
    }


def test_another_program_makes_the_report_anew(
    again: Callable[..., str], reduced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "version", lambda _: "9.9.9")
    again()
    assert len(reduced) == 1
    again()
    assert len(reduced) == 1


def test_a_changed_file_is_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(sweepengine.__file__).parent
    for name in ("__init__.py", "analysis"):
        copy = shutil.copytree if (home / name).is_dir() else shutil.copy
        copy(home / name, tmp_path / name)
    monkeypatch.setattr(sweepengine, "__file__", str(tmp_path / "__init__.py"))
    seen = [reports._program_digest()]
    for change in (
        lambda: (tmp_path / "analysis" / "claims" / "mine.py").write_text(""),
        lambda: (tmp_path / "analysis" / "page" / "style.css").write_text(""),
        lambda: (tmp_path / "analysis" / "_fit.py").rename(tmp_path / "analysis" / "_fits.py"),
    ):
        change()
        seen.append(reports._program_digest())
    assert len(set(seen)) == 4


@pytest.mark.parametrize("change", ["headline", "seal", "half", "list"])
def test_an_edited_stamp_is_not_believed(change: str, again: Callable[..., str], reduced: list[str]) -> None:
    said, path = again(), REPORT / reports.STAMP
    stamp = json.loads(path.read_text())
    stamp["text"]["headline"] = "tiny: all is well"
    texts = {
        "headline": json.dumps(stamp),
        "seal": json.dumps({key: value for key, value in stamp.items() if key != "seal"}),
        "half": path.read_text()[:100],
        "list": "[1]",
    }
    path.write_text(texts[change])
    assert again() == said
    assert len(reduced) == 1


def test_without_a_report_nothing_is_written(again: Callable[..., str], reduced: list[str]) -> None:
    said = again()
    (REPORT / "report.md").write_text("a note of mine")
    before = written()
    assert said.startswith(again("--no-report"))
    assert written() == before
    assert reduced == []
    shutil.rmtree(REPORT)
    assert said.startswith(again("--no-report"))
    assert not REPORT.exists()


def test_a_report_belongs_to_the_place_of_its_store(again: Callable[..., str], reduced: list[str]) -> None:
    shutil.copytree(STORE, "results/moved.zarr")
    shutil.copytree(REPORT, "results/moved.report")
    again("--store", "results/moved.zarr")
    assert len(reduced) == 1
    assert "results/moved.zarr" in Path("results/moved.report/report.json").read_text()


def test_users_code_makes_the_report_anew(again: Callable[..., str], reduced: list[str]) -> None:
    Path("mine.py").write_text("")
    for count in (1, 2):
        again("--plugin", "mine.py")
        assert len(reduced) == count


def test_data_of_the_store_are_not_made_again(again: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    said = again()
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda **_: pytest.fail("made again"))
    assert again() == said


def test_data_that_the_store_has_lost_are_made_again(again: Callable[..., str]) -> None:
    damage(next(STORE.glob("data/*/x_train/c/0/0")))
    again()  # nothing is computed, and the report shows no inputs


def test_a_changed_file_is_refused(again: Callable[..., str], tmp_path: Path) -> None:
    path, points = tmp_path / "points.npz", np.random.default_rng(0).standard_normal((8, 3))
    np.savez(path, x_train=points[:6], y_train=np.ones(6), x_test=points[6:], y_test=np.ones(2))
    data = {"name": "file", "path": str(path)}
    Path("spec.yaml").write_text(yaml.safe_dump(SPEC | {"name": "points", "data": data}))
    said = again()
    assert again() == said
    np.savez(path, x_train=points[:6], y_train=-np.ones(6), x_test=points[6:], y_test=np.ones(2))
    assert "was written with other data" in again(code=2)
