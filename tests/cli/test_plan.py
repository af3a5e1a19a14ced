"""What `plan` says of this machine and of a cluster, `--set` and `--store-dir`, and completion in shells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import sweepengine
from sweepengine.amounts import parse_bytes, show_bytes, show_seconds
from sweepengine.cli import main
from sweepengine.errors import DataError, SpecError
from sweepengine.plan import Machine, estimate, machine_of
from tests.support.texts import says

if TYPE_CHECKING:
    from collections.abc import Callable

    Tiny = Callable[..., dict[str, Any]]


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Tiny) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    Path("spec.yaml").write_text(yaml.safe_dump(tiny()))
    return "spec.yaml"


def test_every_message_about_a_spec_begins_with_its_file(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the text is wrong, or a setting, or what the settings mean for the data and the records."""
    monkeypatch.chdir(tmp_path)
    plain = tiny()
    for wrong in (
        "name: [",
        plain | {"precision": "float16"},
        plain | {"observables": ["kernel_drfit"]},
        plain | {"observables": ["kernel_entries"]},
        plain | {"data": {"name": "file", "path": "nothing.npz"}},
        plain | {"data": plain["data"] | {"n_train": 10**6}},
        plain | {"training": plain["training"] | {"step_size": 0.3}},
        plain | {"training": plain["training"] | {"records": {"spacing": "every", "k": 10**6}}},
    ):
        Path("mine.yaml").write_text(wrong if isinstance(wrong, str) else yaml.safe_dump(wrong))
        for command in (["plan", "mine.yaml"], ["run", "mine.yaml", "--executor", "inline"]):
            assert main(command) == 2
            assert (said := capsys.readouterr().err).startswith("error: mine.yaml: ")
            assert said.count("mine.yaml") == 1
        with pytest.raises((SpecError, DataError), match=r"^mine\.yaml: "):
            sweepengine.run("mine.yaml", executor="inline")
    Path("mine.yaml").write_text(yaml.safe_dump(plain))
    assert main(["run", "mine.yaml", "--executor", "inline", "--workers", "2"]) == 2
    assert "mine.yaml" not in capsys.readouterr().err  # the option is wrong, and not the spec


def test_a_file_is_no_store(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file.zarr").write_text("x")
    for command in (
        ["run", spec, "--store", "file.zarr"],
        ["plan", spec, "--store", "file.zarr"],
        ["status", "file.zarr"],
    ):
        assert main(command) == 2
        assert "file.zarr is a file, and a store is a folder" in capsys.readouterr().err


def test_headlines_that_a_list_of_observables_drops_are_named(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")

    def said(observables: list[str] | None) -> str:
        Path("spec.yaml").write_text(yaml.safe_dump(tiny() | ({"observables": observables} if observables else {})))
        assert main(["plan", "spec.yaml"]) == 0
        return capsys.readouterr().out

    without = said(["loss_train", "loss_test", "movement_total"])
    assert says(without, "no exponent and no figure of kernel drift: observables lacks kernel_drift")
    assert "relative movement" not in without
    assert "no exponent" not in said(None)
    assert "no exponent" not in said(["kernel_drift", "movement_total"])


def test_the_cluster_and_not_this_machine_refuses(
    spec: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sweepengine.plan._machine.machine_memory", lambda: 10**8)  # a small login node
    assert main(["plan", spec]) == 2
    assert "MB, this machine has 100 MB" in capsys.readouterr().err
    assert main(["plan", spec, "--cpus", "64", "--memory", "8GB", "--gpus", "4"]) == 0
    said = capsys.readouterr().out
    assert says(said, "64 CPUs as fast as those of this machine")
    assert "CPU-hours at work" in said
    assert "CPU-hours held" in said
    assert "GPU-hours held" in said
    assert says(said, "of 64 workers")  # tasks are too few for 64 CPUs
    assert main(["plan", spec, "--cpus", "64"]) == 0
    assert "not compared, --memory says" in capsys.readouterr().out
    assert main(["plan", spec, "--cpus", "64", "--memory", "64MiB"]) == 2
    assert "a worker has 67.1 MB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--memory", "8gb"], "memory: found '8gb'; expected a unit of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"),
        (["--memory", "8"], "memory: found '8'; expected a unit of B"),
        (["--memory", "much"], "memory: found 'much'; expected a number and a unit, such as 8GB"),
        (["--cpus", "0"], "--cpus"),
        (["--gpus", "-1"], "--gpus"),
        (["--store", "a.zarr", "--store-dir", "b"], "found both --store a.zarr and --store-dir b"),
        (["--set", "training.tiem=1"], "Did you mean 'time'?"),
    ],
)
def test_bad_words_of_plan(spec: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", spec, *words]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == [spec]


def test_bytes_are_read_strictly_and_shown() -> None:
    assert parse_bytes("8GB", "memory") == 8 * 10**9
    assert parse_bytes(" 1.5 GiB", "memory") == 3 * 2**29
    assert parse_bytes("1kB", "memory") == 1000
    for wrong, hint in {"8g": "8GB", "8Gi": "8GiB", "3KB": "3kB", "2mib": "2MiB"}.items():
        with pytest.raises(SpecError, match=rf"Did you mean {hint}\?"):
            parse_bytes(wrong, "memory")
    for wrong in ("", "GB", "-1GB", "1e3GB", "0GB", "8 G B", "8GBs", "1_0GB", "١GB"):
        with pytest.raises(SpecError, match=r"^memory: found"):
            parse_bytes(wrong, "memory")
    assert [show_bytes(count) for count in (0, 999, 1000, 999_999, 10**13)] == ["0 B", "999 B", "1 kB", "1 MB", "10 TB"]
    assert [show_seconds(each) for each in (0, 119, 121, 7200, 200_000)] == [
        "0 s",
        "119 s",
        "2.02 min",
        "2 h",
        "2.31 days",
    ]


def test_the_estimate_of_a_machine() -> None:
    packs = [3600.0] * 8
    one, four = (estimate(packs, Machine(cpus, None, gpus=2), 1) for cpus in (1, 4))
    start = one.seconds - 8 * 3600
    assert four.seconds - start == pytest.approx(2 * 3600)
    assert one.work_hours == four.work_hours == pytest.approx(8)
    assert four.cpu_hours == pytest.approx(8 + 4 * start / 3600)
    assert four.gpu_hours == pytest.approx(2 * four.seconds / 3600)
    sharded = estimate(packs, Machine(4, None), 2)  # two runs at a time, each on two CPUs
    assert sharded.workers == 2
    assert sharded.seconds - start == pytest.approx(4 * 3600)
    assert sharded.work_hours == pytest.approx(16)
    with pytest.raises(SpecError, match="found 8, and there are 4 CPUs"):
        estimate(packs, Machine(4, None), 8)
    assert machine_of().is_here
    assert machine_of(gpus=2).memory is None


def test_settings_and_the_stores_folder_on_the_command_line(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [spec, "--set", "axes={scaling: [ntk], width: [8], seed: 3}", "--set", "name=other", "--store-dir", "here"]
    assert main(["plan", *words]) == 0
    said = capsys.readouterr().out
    assert says(said, "3 to do")
    assert "here/other.zarr (new)" in said
    assert main(["run", *words, "--executor", "inline"]) == 0
    assert sorted(path.name for path in Path("here").iterdir()) == ["other.report", "other.zarr"]
    assert not Path("results").exists()


def test_shells_complete_commands_and_options() -> None:
    def completed(*words: str) -> list[str]:
        environment = os.environ | {
            "_SWEEPENGINE_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["sweepengine", *words]),
            "COMP_CWORD": str(len(words)),
        }
        command = [sys.executable, "-m", "sweepengine"]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout.split()

    assert completed("ver") == ["verify"]
    assert "--store-dir" in completed("plan", "--st")
