"""The time of a sweep with durability fsync against the time without it, and the number of its syncs.

    python benchmarks/durability.py [SPEC] [--folder .] [--repeats 5] [--commit-seconds 10]

The disk of the folder is measured; on a disk in memory a sync costs nothing. Every row is from two processes, without
fsync and with it. A process runs one in-process sweep, timed from spec to finished store without imports. The ratio is
of the medians.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

import sweepengine
from sweepengine.store import ChunkWriter, _durable
from sweepengine.store._durable import Disk

QUICKSTART = Path(__file__).parent.parent / "jobs" / "quickstart.yaml"


class CountingDisk(Disk):
    """A disk that counts how often it is synced."""

    syncs = 0

    def sync(self, file: BinaryIO) -> None:
        """Count, and sync the file."""
        self.syncs += 1
        super().sync(file)

    def sync_folder(self, folder: Path) -> None:
        """Count, and sync the folder."""
        self.syncs += 1
        super().sync_folder(folder)


def child(spec: str, store: str, durability: str, commit_seconds: float) -> None:
    """Run a sweep and print its seconds, the number of syncs of each commit, and the number of other syncs."""
    disk, commit = CountingDisk(), ChunkWriter.commit
    commits: list[int] = []

    def counted(writer: ChunkWriter, *arguments: object, **options: object) -> None:
        before = disk.syncs
        commit(writer, *arguments, **options)
        commits.append(disk.syncs - before)

    _durable.DISK, ChunkWriter.commit = disk, counted
    start = time.perf_counter()
    sweepengine.run(spec, store, executor="inline", durability=durability, commit_seconds=commit_seconds)
    print(json.dumps([time.perf_counter() - start, commits, disk.syncs - sum(commits)]))


def measured(options: argparse.Namespace, durability: str) -> tuple[float, list[int], int]:
    """Return (seconds, syncs of each commit, other syncs) of a sweep in a process of its own, in a temporary store."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        what = [options.spec, f"{folder}/sweep.zarr", durability, str(options.commit_seconds)]
        command = [sys.executable, __file__, "--child", *what]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, commits, others = json.loads(said)
    return seconds, commits, others


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", default=str(QUICKSTART))
    parser.add_argument("--folder", default=".")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--commit-seconds", type=float, default=10.0)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        spec, store, durability, commit_seconds = options.child
        child(spec, store, durability, float(commit_seconds))
        return
    print(f"{'rename s':>10}{'fsync s':>10}{'commits':>9}{'syncs a commit':>16}{'other syncs':>13}")
    seconds: dict[str, list[float]] = {"rename": [], "fsync": []}
    for _ in range(options.repeats):
        plain, _, none = measured(options, "rename")
        synced, commits, others = measured(options, "fsync")
        assert none == 0
        assert others > 0
        seconds["rename"].append(plain)
        seconds["fsync"].append(synced)
        each = statistics.mean(commits)
        print(f"{plain:10.2f}{synced:10.2f}{len(commits):9}{each:16.1f}{others:13}", flush=True)
    ratio = statistics.median(seconds["fsync"]) / statistics.median(seconds["rename"])
    print(f"fsync / rename: {ratio:.2f}")


if __name__ == "__main__":
    main()
