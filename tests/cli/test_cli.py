"""The command line as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sweepengine import __version__
from sweepengine.cli import main
from tests.support.failures import fail_starts
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable

    Tiny = Callable[..., dict[str, Any]]

ROOT = Path(__file__).parents[2]
QUICKSTART = (ROOT / "jobs" / "quickstart.yaml").read_text()


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(content: dict[str, Any] | str, name: str = "spec.yaml") -> str:
    Path(name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return name


def test_help_is_cheap() -> None:
    program = (
        "import sys; from sweepengine.cli import main; code = main(['--help']);"
        "heavy = {'torch', 'ray', 'zarr', 'xarray', 'dask', 'altair', 'pydantic'} & set(sys.modules);"
        "sys.exit(f'{code} {heavy}' if heavy or code else 0)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    for command in ("run", "plan", "status", "report", "schema"):
        assert command in found.stdout


def test_version_and_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"sweepengine {__version__}"
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert all("axes" in schema["$defs"][each]["properties"] for each in ("SweepSpec", "ParticleSpec"))


def test_run_prints_a_summary_and_writes_store_and_report(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write(tiny(axes={"width": [8, 16, 32], "seed": 3}))
    assert main(["run", spec, "--executor", "inline"]) == 0
    said = capsys.readouterr()
    assert "kernel drift" in said.out
    assert "results/tiny.zarr" in said.out
    assert says(said.err, "packs 3/3")  # lines, because this is no terminal
    report = Path("results/tiny.report/report.html")
    assert report.is_file()
    assert "results/tiny.report/report.html" in said.out
    assert json.loads(report.with_suffix(".json").read_text())
    files = {path: path.stat().st_mtime_ns for path in Path("results/tiny.zarr").rglob("*") if path.is_file()}
    assert main(["run", spec, "--executor", "inline", "--no-report"]) == 0
    assert {path: path.stat().st_mtime_ns for path in Path("results/tiny.zarr").rglob("*") if path.is_file()} == files
    assert main(["report", "results/tiny.zarr", "--output", "elsewhere"]) == 0
    assert Path("elsewhere/report.md").is_file()


def test_plan_starts_and_writes_nothing(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write(tiny())
    assert main(["plan", spec]) == 0
    said = capsys.readouterr().out
    for word in ("width", "8 to do", "packs", "memory", "disk", "files", "time", "(new)"):
        assert says(said, word), word
    assert [path.name for path in Path().iterdir()] == [spec]
    assert main(["run", spec, "--executor", "inline", "--no-report"]) == 0
    promised = int(said.split(" files")[0].split()[-1])
    assert sum(path.is_file() for path in Path("results/tiny.zarr").rglob("*")) == promised
    capsys.readouterr()
    assert main(["plan", spec]) == 0
    assert says(capsys.readouterr().out, "8 done, 0 diverged, 0 to do")


def test_status_counts_and_names_what_diverged(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write(tiny(network={"activation": "quadratic"}, training={"step_size": 5.0, "time": 200.0},
                      axes={"width": [8], "seed": 1}))  # fmt: skip
    assert main(["run", spec, "--executor", "inline", "--no-report"]) == 0
    said = capsys.readouterr()
    assert "warning: 2 of 2 runs diverged" in said.err
    assert "(mean_field, width 8, seed 0) at step" in said.err
    assert main(["status", "results/tiny.zarr"]) == 0
    listed = capsys.readouterr().out
    assert listed.count("diverged: run ") == 2
    assert "(ntk, width 8, seed 0) at step" in listed
    assert main(["run", spec, "--executor", "inline", "--no-report"]) == 0
    assert "warning: 2 of 2 runs diverged" in capsys.readouterr().err  # also when there was nothing to do


BAD = [
    (QUICKSTART.replace("depth: 1", "depht: 1"), "network.depht: unknown key. Did you mean 'depth'?"),
    (QUICKSTART.replace("name: digits", "name: mnist"), "data.name: found 'mnist'; allowed: 'digits'"),
    (QUICKSTART.replace("n_train: 64", "n_train: 640"), "ask for at most 357 in all"),
    (
        QUICKSTART.replace("count: 24", "count: 2400"),
        "use count: 155 or fewer, or more steps (a longer time, a smaller step_size)",
    ),
    (QUICKSTART.replace("step_size: auto", "step_size: 0.3"), "time / step_size"),
    (QUICKSTART.replace("time: 50.0", "time: 1e12"), "more than the 10000000 that a run may have"),
    (QUICKSTART.replace("sigma_w: 1.4142135623730951", "sigma_w: 1e12"), "takes"),
    (QUICKSTART.replace("width: [32", "width: [900000000, 32"), "B, this machine has"),
    (QUICKSTART.replace("seed: 8", "seed: 90000"), "more than the 200000 that one sweep may have"),
    (QUICKSTART.replace("name: quickstart", "name: ../up"), "found '../up'"),
    (QUICKSTART.replace("quickstart\n", "!!python/object/apply:os.system ['touch hacked']\n"), "remove the tag"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message[:30] for _, message in BAD])
@pytest.mark.parametrize("command", ["run", "plan"])
def test_bad_input_is_one_message_and_exit_code_2(
    command: str, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = write(text)
    assert main([command, spec]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message.rsplit("|", maxsplit=1)[-1] in said
    assert "Traceback" not in said
    assert [path.name for path in Path().iterdir()] == [spec]


def test_bad_words(capsys: pytest.CaptureFixture[str], tiny: Tiny) -> None:
    assert main(["run", "none.yaml"]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert main(["run", write(tiny()), "--executor", "slurm"]) == 2
    assert "slurm" in capsys.readouterr().err
    assert main(["run", write(tiny()), "--store", "x.zip"]) == 2
    assert "must end in .zarr" in capsys.readouterr().err
    assert main(["status", "none.zarr"]) == 2
    assert "there is nothing at" in capsys.readouterr().err
    assert main(["status", "quickstart-0123456789ab"]) == 2
    assert "for the id of a job --address names the cluster's dashboard" in capsys.readouterr().err
    assert main(["report", "none.zarr"]) == 2
    assert main(["launch"]) == 2
    assert main(["run", write(tiny()), "--store", "spec.yaml/x.zarr", "--executor", "inline"]) == 2
    assert "cannot be" in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in Path().iterdir()] == ["spec.yaml"]


def test_a_store_of_other_settings_is_refused(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", write(tiny()), "--executor", "inline", "--no-report"]) == 0
    capsys.readouterr()
    other = write(tiny(network={"sigma_w": 2.0}), "other.yaml")
    assert main(["run", other, "--executor", "inline"]) == 2
    assert says(capsys.readouterr().err, "network.sigma_w: the store has 1.4, this spec 2.0")


def test_failed_runs_give_exit_code_1(
    tiny: Tiny, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_starts(monkeypatch, "no weights today", lambda _widths, _seed: True)
    spec = write(tiny(axes={"width": [8], "seed": 1}))
    assert main(["run", spec, "--executor", "inline", "--no-report"]) == 1
    said = capsys.readouterr().err
    assert "error: 2 of 2 runs failed; `sweepengine failures " in said
    assert "the same command tries them again" in said
    assert "no weights today" in said


def test_a_store_that_became_read_only_is_refused(
    tiny: Tiny, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not bind root, so the file system's answer is put in its mouth."""
    from zarr.storage import LocalStore

    assert main(["run", write(tiny()), "--executor", "inline", "--no-report"]) == 0

    async def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for writing in ("set", "set_if_not_exists"):
        monkeypatch.setattr(LocalStore, writing, refuse)
    capsys.readouterr()
    assert main(["run", write(tiny(axes={"seed": 3})), "--executor", "inline", "--no-report"]) == 2
    assert "cannot be written: [Errno 13] Permission denied" in capsys.readouterr().err
    assert main(["run", write(tiny()), "--executor", "inline", "--no-report"]) == 0  # nothing to do, nothing to write


def test_an_address_where_nobody_answers(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", write(tiny()), "--address", "127.0.0.1:1"]) == 1
    assert says(capsys.readouterr().err, "no cluster answers at 127.0.0.1:1")
    assert not Path("results").exists()


def test_a_report_that_cannot_be_written_does_not_undo_the_sweep(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("results").mkdir()
    Path("results/tiny.report").write_text("in the way")
    assert main(["run", write(tiny()), "--executor", "inline"]) == 1
    said = capsys.readouterr()
    assert "store:" in said.out
    assert "error: no report:" in said.err
