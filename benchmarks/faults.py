"""Cases in which the product meets a fault, each with a verdict; docs/reliability.md has the counts.

    python benchmarks/faults.py kills --cases 0:300 --jobs 2 --results faults.jsonl
    python benchmarks/faults.py all --results faults.jsonl
    python benchmarks/faults.py summary --results faults.jsonl

The campaign and the number of a case fix all its random choices; how far a sweep has come when the fault happens is up
to the machine. Results are lines of JSON with the product's commit; a second call does the missing cases. The exit code
is 1 if a case has a defect. `--product` names another checkout whose `sweepengine` meets the faults, such as an older
one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from faultlib import results
from faultlib.verdict import FINE, Defect, Kind

if TYPE_CHECKING:
    from types import FrameType

    from faultlib.bench import Bench

ROOT = Path(__file__).resolve().parent.parent
CAMPAIGNS = ("kills", "suspensions", "pairs", "disks", "corruptions", "links", "cluster", "fuzz")
SHORT = {
    "kills": "0,10",
    "suspensions": "5",
    "pairs": "0",
    "disks": "0,1,3",
    "corruptions": "0,2,28",
    "links": "0",
    "fuzz": "0:6,2000:2006",
}
"""Campaign → cases of the short form: a minute in all, none of them on Ray."""
Todo = list[tuple[str, int]]


def prepare(product: Path) -> None:
    """Make this process and its children import the packages of a checkout, and compute with one BLAS thread."""
    sys.path.insert(0, str(product))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(product), *filter(None, [os.environ.get("PYTHONPATH")])])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from faultlib.child import preload

    preload()
    found = Path(sys.modules["sweepengine"].__file__ or "").parent.parent
    if found != product:
        raise SystemExit(f"sweepengine was imported from {found}, not from {product}")


def one(bench: Bench, campaign: str, number: int) -> results.Result:
    """Do one case and return its verdict."""
    begun = time.monotonic()
    try:
        note, verdict = import_module(f"faultlib.{campaign}").case(bench, number), FINE
    except Defect as defect:
        note, verdict = defect.detail, str(defect.kind)
    except Exception as error:  # noqa: BLE001 -- one case that cannot be judged does not end a campaign
        note, verdict = f"{type(error).__name__}: {error}", str(Kind.HARNESS)
    note = note.replace(str(bench.work), "WORK")
    replay = f"python benchmarks/faults.py {campaign} --cases {number}:{number + 1}"
    return results.Result(campaign, number, bench.commit, verdict, note, round(time.monotonic() - begun, 1), replay)


def work(bench: Bench, todo: Todo, taken: Any, path: Path, *, verbose: bool) -> None:
    """Do cases until none is left; each worker takes the next case that no other worker has taken."""
    while True:
        with taken.get_lock():
            place = taken.value
            taken.value += 1
        if place >= len(todo):
            return
        result = one(bench, *todo[place])
        results.append(path, result)
        if verbose or result.verdict != FINE:
            print(
                f"{result.campaign} {result.number}: {result.verdict}: {result.note} ({result.seconds} s)", flush=True
            )


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(143)


def numbers(text: str) -> list[int]:
    """Return the numbers that a text means: `3:7,9` is 3 to 6 and 9."""
    found: list[int] = []
    for part in text.split(","):
        first, _, end = part.partition(":")
        found += range(int(first), int(end) if end else int(first) + 1)
    return found


def wanted(asked: str, cases: list[int] | None) -> Todo:
    """Return the cases to do: some or all cases of a campaign, of all campaigns, or of the short form."""
    if asked == "short":
        return [(name, number) for name in SHORT for number in numbers(SHORT[name])]
    names = CAMPAIGNS if asked == "all" else (asked,)
    return [(name, k) for name in names for k in (cases or range(import_module(f"faultlib.{name}").CASES))]


def main() -> int:
    """Run campaigns, or print a summary of their results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign", choices=[*CAMPAIGNS, "all", "short", "summary"])
    parser.add_argument("--cases", type=numbers, help="such as 0:300 or 3,7; all of a campaign where not given")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("faults.jsonl"))
    parser.add_argument("--product", type=Path, default=ROOT)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "faults")
    parser.add_argument("--again", action="store_true", help="do cases that have a result already")
    parser.add_argument("--verbose", action="store_true", help="print every case, not the defects alone")
    options = parser.parse_args()
    if options.campaign == "summary":
        print(results.summary(results.read(options.results)))
        return 0
    prepare(options.product.resolve())
    from faultlib.bench import Bench

    options.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.product.resolve(), options.work.resolve())
    asked = wanted(options.campaign, options.cases)
    known = {(each.campaign, each.number) for each in results.read(options.results) if each.commit == bench.commit}
    todo = [each for each in asked if options.again or each not in known]
    fork = multiprocessing.get_context("fork")  # what is imported is shared, and no thread has been started
    taken = fork.Value("i", 0)
    jobs = [
        fork.Process(
            target=work,
            args=(
                bench,
                todo,
                taken,
                options.results,
            ),
            kwargs={"verbose": options.verbose},
        )
        for _ in range(max(1, options.jobs))
    ]
    signal.signal(signal.SIGTERM, _stop)
    try:
        for each in jobs:
            each.start()
        for each in jobs:
            each.join()
    finally:
        for each in jobs:
            each.terminate()  # which ends its case as any other end does
        for each in jobs:
            each.join()
    found = [each for each in results.read(options.results) if (each.campaign, each.number) in set(asked)]
    found = [each for each in found if each.commit == bench.commit]
    print(results.summary(found))
    return int(any(each.verdict != FINE for each in found) or len(found) < len(asked))


if __name__ == "__main__":
    sys.exit(main())
