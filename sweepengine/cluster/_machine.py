"""Judge what one machine says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweepengine.cluster._checks import Check, judged

if TYPE_CHECKING:
    from sweepengine.cluster._probe import Facts

_LEAST_PYTHON = (3, 11)
_LITTLE_DISK, _SCANT_DISK = 100 * 10**6, 2 * 10**9
_SCANT_SHARED_MEMORY = 200 * 10**6
"""Ray keeps its objects there; a private cluster takes 100 MB."""
SKEW_SECONDS = 5.0
"""The period of a driver's heartbeat, by which other drivers judge whether it lives."""


def judge(facts: Facts, *, store: str = "", ray_gpus: float | None = None) -> list[Check]:
    """The lines about one machine.

    Parameters
    ----------
    facts : Facts
    store : str
        Address of the store that the machine was asked to use; empty if it was not.
    ray_gpus : float or None
        GPUs that Ray counts on the node; None outside a cluster.
    """
    host = facts["host"]
    checks = [_python(facts), *_packages(facts), _disk(facts), _shared_memory(facts), _gpus(facts, ray_gpus)]
    if store:
        cure = "name a place that this machine can write, and give it the permissions (docs/clusters.md, Store)"
        trouble = facts["store"]
        checks.append(
            judged(f"{host} store {store}", trouble or "written, read, deleted", fail=cure if trouble else "")
        )
    return checks


def _python(facts: Facts) -> Check:
    old = tuple(map(int, facts["python"].split(".")[:2])) < _LEAST_PYTHON
    least = ".".join(map(str, _LEAST_PYTHON))
    found = f"{facts['python']} ({facts['executable']}), {facts['cpus']} CPUs"
    return judged(f"{facts['host']} python", found, fail=f"install Python {least} or newer" if old else "")


def _packages(facts: Facts) -> list[Check]:
    missing = [name for name, version in facts["versions"].items() if not version]
    found = ", ".join(f"{name} {version or 'missing'}" for name, version in facts["versions"].items())
    cure = f"install {', '.join(missing)}: pip install --constraint constraints.txt sweepengine" if missing else ""
    return [judged(f"{facts['host']} packages", found, fail=cure)]


def _disk(facts: Facts) -> Check:
    free = facts["disk_free"]
    cure = f"free space below {facts['disk']}, or set TMPDIR to a larger disk; Ray keeps logs and spilled objects there"
    fail, warn = free < _LITTLE_DISK, free < _SCANT_DISK
    found = f"{free / 1e9:.1f} GB free in {facts['disk']}"
    return judged(f"{facts['host']} disk", found, fail=cure if fail else "", warn=cure if warn else "")


def _shared_memory(facts: Facts) -> Check:
    free = facts["shm_free"]
    scant = 0 <= free < _SCANT_SHARED_MEMORY
    found = f"{free / 1e9:.1f} GB free" if free >= 0 else "no /dev/shm: Ray keeps its objects on the disk"
    cure = "enlarge /dev/shm (of a container: --shm-size=1g); Ray falls back to the disk" if scant else ""
    return judged(f"{facts['host']} shared memory", found, warn=cure)


def _gpus(facts: Facts, ray_gpus: float | None) -> Check:
    subject, gpus = f"{facts['host']} GPUs", facts["gpus"]
    build = f"PyTorch for CUDA {facts['cuda']}" if facts["cuda"] else "PyTorch for CPUs"
    if gpus and not facts["cuda"]:
        return Check("fail", subject, f"{gpus}, and {build}", "install a CUDA build of torch, or run with --device cpu")
    if ray_gpus is not None and ray_gpus != gpus:
        cure = "start Ray on the node with --num-gpus, or mend `resources` of its node type"
        return Check("warn", subject, f"{gpus} by nvidia-smi, {ray_gpus:g} by Ray; {build}", cure)
    return Check("pass", subject, f"{gpus}; {build}")


def compare(facts: Facts, here: Facts) -> list[Check]:
    """The line about the versions of a node beside those of the driver's machine."""
    ours, theirs = here["versions"], facts["versions"]
    other = {name: f"{theirs[name] or 'missing'}, not {ours[name]}" for name in ours if theirs.get(name) != ours[name]}
    if facts["python"].rsplit(".", 1)[0] != here["python"].rsplit(".", 1)[0]:
        other["python"] = f"{facts['python']}, not {here['python']}"
    found = "; ".join(f"{name} {said}" for name, said in other.items()) or "those of the driver's machine"
    cure = "make both environments from the same constraints.txt" if other else ""
    breaks = other.keys() & {"python", "sweepengine", "ray"}
    return [judged(f"{facts['host']} versions", found, fail=cure if breaks else "", warn=cure)]


def judge_clock(host: str, skew: float, uncertainty: float) -> Check:
    """The line about a node's clock, which is ``skew`` seconds ahead of the driver's, give or take the uncertainty."""
    off = abs(skew) - uncertainty > SKEW_SECONDS
    cure = "run an NTP client on both machines; drivers judge each other by their clocks" if off else ""
    return judged(f"{host} clock", f"{skew:+.2f} s ± {uncertainty:.2f} s from the driver's", warn=cure)
