"""How often the intervals cover and the verdicts are right, by simulation: the tables of docs/statistics.md.

    OMP_NUM_THREADS=1 python benchmarks/coverage.py [--trials 2000] [--seed 1]
        [--only coverage|verdicts|power|offset|refinement]

A cell is a number of seeds, a set of widths, a law of the noise and a finite-size term. Q = m^−p (1 + B m^−q) times
noise, half of whose variance a seed's widths share: log-normal with the given spread, or log Q with Student's t at 3
degrees of freedom. A table has one row for each noise, with the least and the greatest figure over the other cells.
"""

import argparse
import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweepengine.analysis._constants import CONTRADICTION, MARGIN
from sweepengine.analysis._jackknife import jackknife_t, log_means
from sweepengine.analysis._limit import SLOW_CORRECTIONS, Limit, LogCurve, limit_exponent
from sweepengine.analysis._models import OFFSET, fit_model
from sweepengine.analysis._power import MOST_DOUBLINGS, MOST_SEEDS, what_decides, what_narrows
from sweepengine.analysis._ranges import P, first_straight, scan
from sweepengine.analysis._refinement import more_seeds
from sweepengine.analysis._verdict import Kind, apply_rules

Floats = NDArray[np.float64]
Widths = NDArray[np.floating[Any]]

TRUE_P = 0.5
WIDTHS = {
    "7 widths, 32–2048": 32.0 * 2.0 ** np.arange(7),
    "5 widths, 32–512": 32.0 * 2.0 ** np.arange(5),
    "5 widths, 32–2048": np.round(32.0 * 64 ** (np.arange(5) / 4)),
}
TERMS = {"pure": (0.0, 1.0), "1 + m^-1/2": (1.0, 0.5), "1 + 4 m^-1/2": (4.0, 0.5), "1 + 30/m": (30.0, 1.0)}
NOISES = (("normal", 0.03), ("normal", 0.1), ("normal", 0.3), ("normal", 0.5), ("t3", 0.1), ("t3", 0.3))
SEEDS = (4, 8, 16)
OFF = {"true": 0.0, "0.1 too high": MARGIN, "0.1 too low": -MARGIN}
KINDS: tuple[Kind, ...] = ("bound", "sharp", "asymptote")


@dataclass(frozen=True)
class Cell:
    """One law, to be simulated."""

    seeds: int
    widths: str
    noise: tuple[str, float]
    term: str

    def draw(self, rng: np.random.Generator, trials: int) -> tuple[Floats, Floats]:
        """Return Q (trials, seeds, widths) and the log widths."""
        m = WIDTHS[self.widths]
        b, q = TERMS[self.term]
        return simulate(rng, (trials, self.seeds), m, self.noise, b, q), np.log(m)


def simulate(
    rng: np.random.Generator, shape: tuple[int, int], m: Widths, noise: tuple[str, float], b: float, q: float
) -> Floats:
    """Return (*shape, widths): m^−1/2 (1 + B m^−q) with noise, half of whose variance the widths share."""
    law, spread = noise

    def draw(size: tuple[int, ...]) -> Floats:
        return rng.standard_normal(size) if law == "normal" else rng.standard_t(3, size) / math.sqrt(3)

    z = math.sqrt(0.5) * (draw((*shape, 1)) + draw((*shape, m.size)))
    return np.asarray(m**-TRUE_P * (1 + b * m**-q) * np.exp(spread * z))


def covers(limit: Limit) -> float:
    """Share of trials whose interval holds the true exponent."""
    return float(np.mean((limit.low <= TRUE_P) & (limit.high >= TRUE_P)))


def line_coverage(values: Floats, log_m: Floats) -> float:
    """The same for the straight line at these widths: what the limit must not be read from."""
    stats, left, straight = scan(*log_means(values), log_m)
    _, half = jackknife_t(np.moveaxis(left, -3, -1))
    k, n = first_straight(straight), np.arange(len(values))
    return float(np.mean(np.abs(stats[n, k, P] - TRUE_P) <= half[n, k, P]))


def shares(limit: Limit, cautious: Limit, kind: Kind, off: float) -> tuple[float, ...]:
    """Shares of trials in which a claim holds and is contradicted, and in which it holds where the interval is short.

    The third share is NaN unless most intervals of the cell are shorter than 0.1; the fourth is of the trials whose own
    interval is shorter, and NaN where these are fewer than a twentieth, which is no class to take a share of.
    """
    ends = ((limit.low, limit.high), (cautious.low, cautious.high))
    holds, contradicted = (verdict & limit.explained for verdict in apply_rules(kind, TRUE_P + off, *ends))
    short = limit.high - limit.low < MARGIN
    mostly = float(holds.mean()) if short.mean() > 0.5 else math.nan
    among = float(holds[short].mean()) if short.mean() >= 0.05 else math.nan
    return float(holds.mean()), float(contradicted.mean()), mostly, among


def cells(noise: tuple[str, float]) -> list[Cell]:
    """All cells of one noise."""
    return [Cell(seeds, widths, noise, term) for seeds, widths, term in product(SEEDS, WIDTHS, TERMS)]


def coverage_table(trials: int, seed: int) -> None:
    """Print the coverage of the limit's interval and of the straight line's, and the median half-width."""
    print(
        "\n| noise | finite-size term | line covers | limit covers | ± with 4, 8, 16 seeds |\n| --- |" + " ---: |" * 4
    )
    for noise, term in product(NOISES, TERMS):
        line: list[float] = []
        limits: list[float] = []
        widths: dict[int, list[float]] = {seeds: [] for seeds in SEEDS}
        for cell in cells(noise):
            if cell.term != term:
                continue
            values, log_m = cell.draw(np.random.default_rng(seed), trials)
            found = limit_exponent(LogCurve.from_replicates(log_m, *log_means(values)))
            line.append(line_coverage(values, log_m))
            limits.append(covers(found))
            widths[cell.seeds].append(float(np.median(found.high - found.low)) / 2)
        halves = ", ".join(f"{np.median(widths[seeds]):.3f}" for seeds in SEEDS)
        print(f"| {noise[0]} {noise[1]:g} | {term} | {_range(line)} | {_range(limits)} | {halves} |", flush=True)


def verdict_table(trials: int, seed: int) -> None:
    """Print how often each kind of claim holds or is contradicted, true and off by 0.1."""
    print("\n| noise | kind | claim | holds | contradicted | holds, most lengths < 0.1 | holds, own length < 0.1 |")
    print("| --- | --- | --- |" + " ---: |" * 4)
    for noise in NOISES:
        found: dict[tuple[Kind, str], list[tuple[float, ...]]] = {}
        for cell in cells(noise):
            values, log_m = cell.draw(np.random.default_rng(seed), trials)
            curve = LogCurve.from_replicates(log_m, *log_means(values))
            limit, cautious = limit_exponent(curve), limit_exponent(curve, SLOW_CORRECTIONS, CONTRADICTION)
            for kind, (claim, off) in product(KINDS, OFF.items()):
                found.setdefault((kind, claim), []).append(shares(limit, cautious, kind, off))
        for (kind, claim), rows in found.items():
            text = " | ".join(_range(column) for column in zip(*rows, strict=True))
            print(f"| {noise[0]} {noise[1]:g} | {kind} | {claim} | {text} |", flush=True)


def power_table(trials: int, seed: int) -> None:
    """Print whether the seeds and widths that the power analysis asks for are enough, from pilots of 8 seeds.

    The last column is for sweeps of the most that is looked at. Where it is low, no answer is the right one, and the
    few pilots that have an answer are those whose spread or bend is too small by chance.
    """
    print("\n| noise | finite-size term | asked for | answers | median answer | met, of answers | met by the most |")
    print("| --- | --- | --- |" + " ---: |" * 4)
    rng = np.random.default_rng(seed)
    m = WIDTHS["7 widths, 32–2048"]
    pilots = max(20, trials // 20)
    for term, (spread, half) in product(TERMS, ((0.1, 0.04), (0.2, 0.06), (0.3, 0.08))):
        law = (("normal", spread), *TERMS[term])
        for what in ("seeds for", "widths for", "seeds to decide"):

            def met(seeds: int, widths: Widths, law: Any = law, what: str = what, half: float = half) -> float:
                limit = limit_exponent(_curves(simulate(rng, (20, seeds), widths, *law), widths))
                if what != "seeds to decide":
                    return float(np.mean(_longer_side(limit) <= 1.1 * half))
                ends = (limit.low, limit.high)
                return float((apply_rules("sharp", TRUE_P, ends, ends)[0] & limit.explained).mean())

            answers = []
            for _ in range(pilots):
                curve = _curve(simulate(rng, (1, 8), m, *law), m)
                if what == "seeds to decide":
                    needed = what_decides(curve, lambda a, c: apply_rules("sharp", TRUE_P, a, c)[0])
                else:
                    needed = what_narrows(curve, half)
                answer = needed.largest if what == "widths for" else needed.seeds
                if answer is not None:
                    answers.append(answer)
            if what == "widths for":
                shares_met = [met(8, _doubled(answer)) for answer in answers]
                most = np.mean([met(8, _doubled(m[-1] * 2**MOST_DOUBLINGS)) for _ in range(5)])
            else:
                shares_met = [met(8 + int(answer), m) for answer in answers]
                most = np.mean([met(8 * MOST_SEEDS, m) for _ in range(5)])
            asked = what if what == "seeds to decide" else f"{what} ± {half:g}"
            median = f"{np.median(answers):g}" if answers else "–"
            share = f"{100 * np.mean(shares_met):.0f} %" if answers else "–"
            print(
                f"| {spread:g} | {term} | {asked} | {len(answers)} of {pilots} | {median} | {share} "
                f"| {100 * most:.0f} % |",
                flush=True,
            )


def _doubled(largest: float) -> Floats:
    """Widths from 32, each twice the last, up to the largest."""
    return np.asarray(32.0 * 2.0 ** np.arange(round(math.log2(largest / 32)) + 1))


def _longer_side(limit: Limit) -> Floats:
    return np.asarray(np.maximum(limit.high - limit.value, limit.value - limit.low))


def offset_table(trials: int, seed: int) -> None:
    """Print the coverage of Q∞ and p of the offset model, whose law is true: Q∞ + 32/m with 7 widths."""
    print("\n| Q∞ | seeds | spread | Q∞ covered | p covered |\n| ---: | ---: | ---: | ---: | ---: |")
    m = WIDTHS["7 widths, 32–2048"]
    log_m = np.log(m)
    for level, seeds, spread in product((0.0, 0.05, 0.5), SEEDS, (0.03, 0.1, 0.3)):
        rng = np.random.default_rng(seed)
        flat = simulate(rng, (trials, seeds), m, ("normal", spread), 0.0, 1.0) * m**TRUE_P
        full, left = log_means(flat * (level + 32 / m))
        y = np.concatenate([full[:, None], left], axis=1)
        theta, linear = fit_model(OFFSET, y, log_m - log_m[-1])
        found = []
        for values, truth in ((np.exp(linear[..., 0]) * theta[..., 1], level), (theta[..., 0], 1.0)):
            _, half = jackknife_t(values[:, 1:])
            found.append(float(np.mean(np.abs(values[:, 0] - truth) <= half)))
        print(f"| {level:g} | {seeds} | {spread:g} | {100 * found[0]:.1f} % | {100 * found[1]:.1f} % |", flush=True)


def refinement_table(trials: int, seed: int) -> None:
    """Print the coverage that is left where seeds are added until the interval is short: the rule of `refine`."""
    print(
        "\n| noise | term | first seeds | target | met | median seeds | covers when it stops |\n"
        + "| --- " * 3
        + "| ---: " * 4
        + "|"
    )
    m, most = WIDTHS["7 widths, 32–2048"], 512
    for spread, term, first, target in product((0.1, 0.3), TERMS, (4, 8), (0.05, 0.1)):
        b, q = TERMS[term]
        values = simulate(np.random.default_rng(seed), (trials // 4, most), m, ("normal", spread), b, q)
        waiting = {first: np.arange(len(values))}
        ends: dict[int, tuple[float, bool]] = {}  # trial → seeds at its end, and whether its interval covers
        while waiting:
            seeds = min(waiting)
            some = waiting.pop(seeds)
            limit = limit_exponent(_curves(values[some, :seeds], m))
            half = (limit.high - limit.low) / 2
            inside = (limit.low <= TRUE_P) & (limit.high >= TRUE_P)
            for trial, now, covered in zip(some, half, inside, strict=True):
                after = seeds + (more_seeds(seeds, float(now), target) if math.isfinite(now) else seeds)
                if now <= target or after > most:
                    ends[int(trial)] = (float(seeds) if now <= target else math.inf, bool(covered))
                else:
                    waiting[after] = np.append(waiting.get(after, np.empty(0, np.intp)), trial)
        sizes, covers_at_end = (np.array(column) for column in zip(*ends.values(), strict=True))
        met = np.isfinite(sizes)
        median = f"{np.median(sizes):g}" if np.isfinite(np.median(sizes)) else f"> {most}"
        covered = f"{100 * covers_at_end[met].mean():.1f} %" if met.any() else "–"
        print(
            f"| {spread:g} | {term} | {first} | ± {target:g} | {100 * met.mean():.0f} % | {median} | {covered} |",
            flush=True,
        )


def _curves(values: Floats, m: Widths) -> LogCurve:
    return LogCurve.from_replicates(np.log(m), *log_means(values))


def _curve(values: Floats, m: Widths) -> LogCurve:
    return _curves(values[0], m)


def _range(found: "list[float] | tuple[float, ...]") -> str:
    figures = [figure for figure in found if not math.isnan(figure)]
    return f"{100 * min(figures):.1f} – {100 * max(figures):.1f} %" if figures else "–"


TABLES = {
    "coverage": coverage_table,
    "verdicts": verdict_table,
    "power": power_table,
    "offset": offset_table,
    "refinement": refinement_table,
}


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(TABLES), help="a table; may be repeated (default: all)")
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in options.only or TABLES:
        TABLES[name](options.trials, options.seed)


if __name__ == "__main__":
    main()
