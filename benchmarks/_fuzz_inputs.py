"""Hostile specs and archives, each made from a number, and how the functions that read them take them.

    python benchmarks/_fuzz_inputs.py [--specs 2000] [--archives 200] [--first 0]

Every case is a function of its number, which replays it. A case runs in a process of its own, under limits of CPU time
and of memory, with warnings as errors. The case is fine if the input was accepted, or refused by an error of ours.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import math
import os
import random
import resource
import struct
import sys
import tempfile
import warnings
import zlib
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml

from sweepengine.data import load, load_reference, load_weights
from sweepengine.errors import SweepError
from sweepengine.plan import make_plan
from sweepengine.spec import FileData, SweepSpec, read_spec, spec_schema
from sweepengine.store import SweepStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

    from sweepengine.spec import AnySpec

JOBS = sorted((Path(__file__).parent.parent / "jobs").glob("*.yaml"))
CPU_SECONDS, PLAN_SECONDS = 5, 30
IDLE_SECONDS = 20
"""Seconds that a process may sleep without using CPU time, which has a limit of its own."""
MOST_RUNS, MOST_POINTS, MOST_COORDINATES, DEEPEST_REFERENCE = 3000, 10_000, 4000, 3
"""A larger sweep is read but not planned, because planning it may rightly take long."""
MEMORY = 2**30
MOST_LINES, LONGEST_LINE = 60, 3000
"""Limits of a message; the longest message lists the names of all observables."""
Tree = Any
Place = tuple[Any, Any]


# Specs

HUGE = 10**60
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 0.5, 1.0, -0.0, 1e-320, 1e308, float("nan"), float("inf"), -float("inf"),
    2**31, 2**63 - 1, 2**63, 10**9, 10**9 + 1, HUGE, -HUGE, 1e-12, 1e12, 1e13,
    "", " ", "auto", "ntk", "1", "1e-3", "yes", "null", "~", "a: b", "\n", "é😀", "\u202e", "\ud7ff", "x" * 3000,
    "../../x", "/dev/null", "a/b.npz", "%s{}", "__class__", [], {}, [[]], [{}], {"": 1}, [1, 1],
    [None], [True, 1], list(range(500)), [0.5, 0.5000000001], {"name": "file", "path": "none.npz"},
    {"name": "sgd", "batch_size": 3}, {"spacing": "every", "k": 1}, {"spacing": "log", "count": 10**9},
    {"term": "risk"},
)  # fmt: skip
TOKENS = (
    "!!python/object/apply:os.system ['true']", "&a [*a, *a]", "*b", "<<: {a: 1}", "? [a, b]\n: c",
    "[" * 3000, "{a: " * 3000, "- " * 3000, "? " * 3000, "\t", "\r", "---\n", "...\n", "%YAML 3.0\n", "\ufeff",
    "\u2028", "0x" + "f" * 6000, "1" * 6000, "-" + "1" * 99, ".nan", ".inf", "1e999", "1_000", "1:30", "0o17",
    "|\n  text", '"\\0"', '"\\ud800"', '"\\x1b[31m"', "'", '"', "#", ": ", ",", "]", "}", "é", "😀",
    "a" * 2000 + ": 1\n", "\n".join(f"{' ' * n}a:" for n in range(200)), "@", "`", "2001-01-01", "=", "!", "!!set {a}",
)  # fmt: skip


def _words(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (each for each in [*schema.get("enum", ()), schema.get("const")] if isinstance(each, str))
        yield from (word for part in schema.values() for word in _words(part))
    elif isinstance(schema, list):
        yield from (word for part in schema for word in _words(part))


def _keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        yield from (key for part in schema.values() for key in _keys(part))
    elif isinstance(schema, list):
        yield from (key for part in schema for key in _keys(part))


WORDS, KEYS = (sorted(set(found(spec_schema()))) for found in (_words, _keys))


def spec_case(number: int) -> str:
    """Return the text of a misspelt, mutated or hostile spec."""
    chance = random.Random(number)  # noqa: S311
    trees = [yaml.safe_load(job.read_text()) for job in JOBS]
    tree = chance.choice(trees)
    gentle = chance.random() < 0.5
    for _ in range(chance.choice((1, 2, 3)) if gentle else chance.choice((0, 1, 1, 1, 2, 3, 6))):
        if gentle:
            holder, key = chance.choice(list(_places(tree)))
            holder[key] = _likely(holder[key], chance)
        else:
            _mutate(tree, chance.choice(trees), chance)
    # By JSON: nothing is shared, so that no anchors are written.
    text = yaml.safe_dump(
        copy.deepcopy(json.loads(json.dumps(tree))),
        sort_keys=False,
        default_flow_style=chance.choice((False, None, True)),
    )
    for _ in range(0 if gentle else chance.choice((0, 0, 1, 2))):
        text = _misspelt(text, chance)
    return text


def _places(tree: Tree) -> Iterator[Place]:
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inside:
        yield tree, key
        yield from _places(value)


def _mutate(tree: Tree, other: Tree, chance: random.Random) -> None:
    """Make one change of a value or a key of the tree, in place."""
    places = list(_places(tree))
    if not places:
        return
    holder, key = chance.choice(places)
    action = chance.randrange(8)
    if action == 0:
        del holder[key]
    elif action == 1:  # two values change places
        there, name = chance.choice(places)
        holder[key], there[name] = copy.deepcopy(there[name]), copy.deepcopy(holder[key])
    elif action == 2 and isinstance(holder, dict):
        holder[_misspelt(str(key), chance)] = holder.pop(key)
    elif action == 3 and isinstance(holder, dict):
        holder[chance.choice(KEYS)] = copy.deepcopy(chance.choice((*VALUES, chance.choice(WORDS))))
    elif action == 3:
        holder.append(copy.deepcopy(chance.choice((*VALUES, holder[key]))))
    elif action == 4:
        holder[key] = _likely(holder[key], chance)
    else:
        holder[key] = copy.deepcopy(_other_value(holder[key], other, chance))


def _other_value(value: Any, other: Tree, chance: random.Random) -> Any:
    there, name = chance.choice(list(_places(other)))
    return chance.choice(
        (chance.choice(VALUES), chance.choice(WORDS), there[name], [value], [value, value], {"a": value}, str(value))
    )


def _likely(value: Any, chance: random.Random) -> Any:
    """Return another value of the same type, so that the spec is likely to stay valid."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return chance.choice(
            (-value, value * 10, value + 0.5, value * 1000, value / 1000, value + 1, value**5, 1, 2, 0.75)
        )
    if isinstance(value, list):
        return [_likely(each, chance) if chance.random() < 0.3 else each for each in value] * chance.choice((1, 1, 2))
    return chance.choice(WORDS) if isinstance(value, str) else value


def _misspelt(text: str, chance: random.Random) -> str:
    """Return the text with one change."""
    place = chance.randrange(len(text) + 1)
    stop = place + chance.choice((1, 1, 2, 20))
    lines = text.splitlines(keepends=True)
    line = chance.randrange(len(lines)) if lines else 0
    return chance.choice(
        (
            text[:place] + text[stop:],
            text[:stop] + text[place:],
            text[:place] + chance.choice(TOKENS) + text[place:],
            text[:place] + chance.choice(TOKENS) + text[stop:],
            text[:place],
            "".join([*lines[:line], *lines[line : line + 1] * 2, *lines[line + 1 :]]),
            "".join([*lines[:line], *(f"  {each}" for each in lines[line : line + 1]), *lines[line + 1 :]]),
            "".join([*lines[:line], *lines[line + 1 :]]),
            text[:place] + text[place:stop].swapcase() + text[stop:],
        )
    )


def try_spec(number: int) -> str | None:
    """Read a spec, plan it for a store that does not exist if it is accepted, and return a defect in words or None."""

    def attempt(folder: Path) -> None:
        path = folder / "case.yaml"
        path.write_text(spec_case(number), encoding="utf-8", errors="surrogatepass")
        spec = read_spec(path)
        if not _is_small(spec):
            return
        resource.setrlimit(resource.RLIMIT_CPU, (_cpu_seconds() + PLAN_SECONDS, -1))
        make_plan(spec, SweepStore(str(folder / "case.zarr")))
        if (folder / "case.zarr").exists():
            raise AssertionError("a plan has written a store")

    return _defect(attempt)


def _is_small(spec: AnySpec) -> bool:
    runs = math.prod(len(values) for values in spec.axes.model_dump(exclude_none=True).values())
    data = {} if spec.data is None else spec.data.model_dump()
    points = data.get("n_train", 0) + data.get("n_test", 0)
    deepest = max(spec.axes.depth or (spec.network.depth or 0,)) if isinstance(spec, SweepSpec) else 0
    if deepest > DEEPEST_REFERENCE:
        return False
    return runs <= MOST_RUNS and points <= MOST_POINTS and data.get("d", 0) <= MOST_COORDINATES


# Archives


def npy(
    descr: str, shape: str, content: bytes, *, order: str = "False", version: int = 1, length: int | None = None
) -> bytes:
    """Return a ``.npy`` file whose header holds the given texts, true or not."""
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    size = len(header) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(2 if version == 1 else 4, "little") + header + content


def member(
    name: bytes, content: bytes, *, method: int = 0, flags: int = 0, crc: int | None = None, size: int | None = None,
    packed: bytes | None = None, packed_size: int | None = None, extra: bytes = b"",
) -> tuple[bytes, bytes]:  # fmt: skip
    """Return the bytes of one member of an archive, and of its directory entry; the arguments may falsify fields."""
    packed = content if packed is None else packed
    fields = struct.pack(
        "<HHHHHIIIHH", 20, flags, method, 0, 33, zlib.crc32(content) if crc is None else crc,
        len(packed) if packed_size is None else packed_size, len(content) if size is None else size,
        len(name), len(extra),
    )  # fmt: skip
    local = b"PK\x03\x04" + fields + name + extra + packed
    return local, b"PK\x01\x02\x14\x00" + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0)[:-4] + b"%OFFSET" + name + extra


def archive(members: list[tuple[bytes, bytes]], *, count: int | None = None, size: int | None = None) -> bytes:
    """Return an archive of members of :func:`member`; the arguments may falsify its directory."""
    body, directory = b"", b""
    for local, entry in members:
        directory += entry.replace(b"%OFFSET", struct.pack("<I", len(body)), 1)
        body += local
    count = len(members) if count is None else count
    end = struct.pack(
        "<HHHHIIH", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory) if size is None else size, len(body), 0
    )
    return body + directory + b"PK\x05\x06" + end


def _plain(chance: random.Random) -> dict[str, Any]:
    rng = np.random.default_rng(chance.randrange(2**32))
    n, d = chance.randrange(1, 60), chance.randrange(1, 5)
    dtype = chance.choice(("<f8", ">f4", "<f2", "u1", "?", "<i8"))
    x = (10 * rng.standard_normal((2, n, d))).astype(dtype)
    return {
        "x_train": x[0], "x_test": x[1], "y_train": x[0, :, 0], "y_test": x[1, :, 0], "points": x[0],
        "W0": rng.standard_normal((8, d)), "W1": rng.standard_normal(8),
    }  # fmt: skip


def _whole(chance: random.Random) -> bytes:
    stream = io.BytesIO()
    chance.choice((np.savez, np.savez_compressed))(stream, **_plain(chance))
    return stream.getvalue()


def _damaged(chance: random.Random) -> bytes:
    """Return a good archive with some bytes changed, lost or inserted, most of them in its headers."""
    content = bytearray(_whole(chance))
    marks = [place for place in range(len(content)) if content[place : place + 2] == b"PK" or content[place] == 0x93]
    for _ in range(chance.choice((1, 1, 2, 8, 40))):
        place = chance.choice((chance.choice(marks) + chance.randrange(70), chance.randrange(len(content)))) % len(
            content
        )
        action = chance.randrange(5)
        if action == 0:
            content[place] ^= 1 << chance.randrange(8)
        elif action == 1:
            content[place : place + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f"))
        elif action == 2:
            del content[place : place + chance.choice((1, 4, 300))]
        elif action == 3:
            content[place:place] = chance.randbytes(chance.choice((1, 4, 300)))
        elif chance.random() < 0.2:
            del content[place:]
        if not content:
            break
    return bytes(content)


def _lying(chance: random.Random) -> bytes:
    """Return an archive in which the header of one array says something else than the array is."""
    numbers = np.arange(12.0).tobytes()
    shape = chance.choice(
        ("(3, 4)", "(3, 5)", "(2, 4)", "(-3, -4)", f"({2**40}, 4)", f"({2**62}, 4)", "(0, 4)", f"(0, {2**62}, 9)",
         f"({10**40},)", "(True, 12)", "(3.0, 4)", "()", f"({'1, ' * 70})", "[3, 4]", "3", "None", "(1,)*9",
         f"({'9' * 3000},)", "(" * 200)
    )  # fmt: skip
    descr = chance.choice(
        ("'<f8'", "'<f8'", "'<f8'", "'|O'", "'<U3'", "'<c16'", "[('a', '<f8')]", "('<f8', (12,))", "'f8,f8'", "'<f9'",
         "'<f'", "'d'", "'<M8[ns]'", "'|V8'", "''", "None", "'" + "f" * 3000 + "'", "__import__('os')", "[" * 90,
         "'<f16'", "'?'", "'<i99999999999'")
    )  # fmt: skip
    wrong = npy(
        descr, shape, numbers + chance.choice((b"", b"", b"\0", bytes(10**6))),
        order=chance.choice(("False", "True", "7", "'x'")),
        version=chance.choice((1, 1, 2, 3, 0, 255)), length=chance.choice((None, None, None, 2**16 - 1, 0, 3)),
    )  # fmt: skip
    names = ["x_train", "y_train", "x_test", "y_test", "W0", "W1", "points"]
    guilty = chance.choice(names)
    good = {
        name: npy("'<f8'", "(3, 4)" if name[0] in "xWp" else "(3,)", numbers[: 96 if name[0] in "xWp" else 24])
        for name in names
    }
    content = good | {guilty: wrong}
    lies: dict[str, Any] = chance.choice(
        ({}, {}, {}, {"size": 2**32 - 1}, {"size": 10}, {"size": 2**31}, {"packed_size": 2**31}, {"packed_size": 3},
         {"crc": 7}, {"flags": 1}, {"flags": 0x20}, {"flags": 0x40}, {"flags": 8}, {"flags": 0x800},
         {"method": 8}, {"method": 12}, {"method": 14}, {"method": 97},
         {"extra": b"\1\0\x08\0" + b"\xff" * 8}, {"extra": b"\1\0\xff\xff"},
         {"size": 2**32 - 1, "extra": b"\1\0\x08\0" + b"\xff" * 7 + b"\x7f"})
    )  # fmt: skip
    members = [member(f"{name}.npy".encode(), content[name], **(lies if name == guilty else {})) for name in names]
    surplus = chance.choice(("", "bomb", "twice", "strange", "many"))
    if surplus == "bomb":
        members.append(_bomb(chance.choice((b"bomb.npy", b"W9.npy"))))
    elif surplus == "twice":
        members.append(members[0])
    elif surplus == "strange":
        strange = (
            b"../../x.npy",
            b"/x.npy",
            b"\xff\xfe.npy",
            b"a\nb.npy",
            b"",
            b"x\0y.npy",
            b"\x1b[31m.npy",
            b"z" * 60_000,
        )
        members += [member(name, numbers) for name in strange]
    elif surplus == "many":
        members += [member(b"%d.npy" % n, b"") for n in range(2000)]
    return archive(
        members, count=chance.choice((None, None, 0, 65535)), size=chance.choice((None, None, None, 0, 2**32 - 1))
    )


def _bomb(name: bytes) -> tuple[bytes, bytes]:
    """Return a member of about a megabyte that unpacks to 1.5 GB."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    begin = npy("'|u1'", f"({1500 * 2**20},)", b"")
    first = compressor.compress(begin) + compressor.flush(zlib.Z_FULL_FLUSH)
    piece = compressor.compress(bytes(2**20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    packed = first + piece * 1500 + compressor.flush()
    return member(name, b"", method=8, packed=packed, size=len(begin) + 1500 * 2**20, crc=0)


def npz_case(number: int, folder: Path) -> Path:
    """Make a damaged or hostile archive in a folder, or a file that is no archive, and return its path."""
    chance = random.Random(number)  # noqa: S311
    path = folder / "case.npz"
    kind = chance.randrange(20)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.symlink_to(
            chance.choice(
                ("/dev/zero", "/dev/null", "/dev/full", "case.npz", "..", "nothing", "/proc/self/mem", "/proc/kmsg")
            )
        )
    elif kind == 2:
        path.write_bytes(
            chance.choice((b"", b"PK", b"PK\x05\x06" + bytes(18), b"PK\x05\x06" + b"\xff" * 18, chance.randbytes(5000)))
        )
        os.truncate(path, chance.choice((path.stat().st_size, 2**40)))
    elif kind < 11:
        path.write_bytes(_damaged(chance))
    else:
        path.write_bytes(_lying(chance))
    return path


def try_npz(number: int, folder: Path) -> str | None:
    """Read a file of :func:`npz_case` as data, weights and reference cloud; return a defect in words or None."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        path = str(npz_case(number, Path(own)))
        readers: tuple[Callable[[], object], ...] = (
            lambda: load(FileData(name="file", path=path)),
            lambda: load_weights(path, 1, biases=False, output_bias=False),
            lambda: load_reference(path, 4),
        )
        for read in readers:
            found = _defect(lambda _, read=read: read())  # type: ignore[misc]
            if found is not None:
                return found
    return None


# A process for each case


def _cpu_seconds() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return round(used.ru_utime + used.ru_stime)


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def _defect(attempt: Callable[[Path], object]) -> str | None:
    """Run an attempt in a process of its own, and return its defect in words or None."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (fork := get_context("fork")).Pipe(duplex=False)
        process = fork.Process(target=_child, args=(attempt, Path(folder), theirs), daemon=True)
        process.start()
        theirs.close()
        told = _answer(process, ours)
        process.kill()
        process.join()
        return told


def _answer(process: ForkProcess, answer: Connection) -> str | None:
    idle, used = 0, ""
    while not answer.poll(1):
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        state, now = fields[0], "".join(fields[11:13])
        idle = idle + 1 if state in "SD" and now == used else 0
        used = now
        if idle == IDLE_SECONDS:
            return f"it has waited for {IDLE_SECONDS} s"
    try:
        told: str | None = answer.recv()
    except EOFError:
        process.join()
        told = f"the process ended with {process.exitcode} (−24: more than its CPU time, −9: killed)"
    return told


def _child(attempt: Callable[[Path], object], folder: Path, answer: Connection) -> None:
    before = _resident()
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 4 * MEMORY, -1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_cpu_seconds() + CPU_SECONDS, -1))
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    try:
        attempt(folder)
    except SweepError as error:
        told = _judged(str(error))
    except BaseException as error:  # noqa: BLE001 -- that is what is looked for
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}" if trace else "nowhere"
        told = f"{type(error).__name__}: {str(error)[:300]} ({where})"
    else:
        told = None
    grown = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if told is None and grown > MEMORY:
        told = f"it took {grown / 1e9:.2g} GB"
    answer.send(told)


def _judged(message: str) -> str | None:
    """Return what is wrong with the message of a refusal, or None."""
    lines = message.splitlines()
    if not message.strip() or len(lines) > MOST_LINES or max(map(len, lines)) > LONGEST_LINE:
        return f"a message of {len(lines)} lines and {len(message)} characters: {message[:200]}"
    if any((ord(each) < 32 and each != "\n") or 0xD800 <= ord(each) < 0xE000 for each in message):
        return f"a message with control characters: {message[:200]!r}"
    return None


def main() -> int:
    """Run the cases and print the defects."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=int, default=2000)
    parser.add_argument("--archives", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    defects = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, count, attempt in (
            ("spec", options.specs, try_spec),
            ("npz", options.archives, lambda number: try_npz(number, Path(folder))),
        ):
            for number in range(options.first, options.first + count):
                found = attempt(number)
                if found is not None:
                    defects += 1
                    print(f"{name} {number}: {found}", flush=True)
    print(f"{options.specs} specs, {options.archives} archives: {defects} defects")
    return int(defects > 0)


if __name__ == "__main__":
    sys.exit(main())
