"""How exactly matrices are multiplied: only as asked, restored afterwards, refused where a device does otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import sweepengine
from sweepengine.errors import RunError, SpecError
from sweepengine.networks import MATMULS, _matmul, loss, matmul_precision, multiplies_in_full
from sweepengine.networks._products import times_vector
from sweepengine.observe import canonical_names
from sweepengine.spec import ParticleSpec, SweepSpec, expand, expand_particles, make_spec, run_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    Tiny = Callable[..., dict[str, Any]]
    Multiplies = Callable[[Callable[[str, torch.device], str]], None]

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def settings() -> tuple[str, ...]:
    """Of products on a CPU and on a GPU; the convolutions and recurrent layers of a device are set alike."""
    return tuple(backends[0].fp32_precision for backends in _matmul._BACKENDS.values())


def all_settings() -> list[str]:
    return [backend.fp32_precision for backends in _matmul._BACKENDS.values() for backend in backends]


def set_for_all(precision: str) -> None:
    """PyTorch's general setting, of which its types know nothing."""
    setattr(torch.backends, "fp32_precision", precision)  # noqa: B010


@pytest.fixture
def multiplies(monkeypatch: pytest.MonkeyPatch) -> Multiplies:
    """Have every device multiply as a function of (precision that is asked for, device) says."""
    return lambda how: monkeypatch.setattr(_matmul, "_measured", how)


@pytest.fixture(autouse=True)
def _as_at_the_start() -> Iterator[None]:
    before = all_settings()
    yield
    set_for_all("none")
    backends = [backend for each in _matmul._BACKENDS.values() for backend in each]
    for backend, precision in zip(backends, before, strict=True):
        backend.fp32_precision = precision


def rounded(digits: int) -> Callable[[Tensor, Tensor], Tensor]:
    """A product of factors that keep so many binary digits after the point."""

    def factor(values: Tensor) -> Tensor:
        whole, exponent = torch.frexp(values)
        return torch.ldexp((whole * 2.0 ** (digits + 1)).round() * 2.0 ** -(digits + 1), exponent)

    return lambda a, b: factor(a) @ factor(b)


def test_what_a_product_does_is_seen_in_what_it_leaves() -> None:
    found = [_matmul.rounding(product, CPU) for product in (torch.mm, rounded(23), rounded(10), rounded(7))]
    assert found == ["full", "full", "tf32", "bf16"]
    assert set(found) == set(MATMULS)


def test_full_is_forced_and_what_was_set_before_comes_back() -> None:
    choices: list[Callable[[], object]] = [
        lambda: None,
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
        lambda: set_for_all("tf32"),
    ]
    for choose in choices:
        choose()
        before = all_settings()
        assert set(before) != {"ieee"}
        with matmul_precision("full", CPU):
            assert set(all_settings()) == {"ieee"}
        assert all_settings() == before
        with pytest.raises(ZeroDivisionError), matmul_precision("full", CPU):
            raise ZeroDivisionError
        assert all_settings() == before


def test_convolutions_of_a_gpu_are_full_too() -> None:
    """PyTorch's own default is TF32 there."""
    convolution = _matmul._BACKENDS["cuda"][1]
    assert convolution is torch.backends.cudnn.conv  # type: ignore[attr-defined]
    convolution.fp32_precision = "tf32"
    with matmul_precision("full", CPU):
        assert convolution.fp32_precision == "ieee"
    assert convolution.fp32_precision == "tf32"


def test_a_general_setting_is_followed_again_afterwards() -> None:
    set_for_all("tf32")
    with matmul_precision("full", CPU):
        pass
    set_for_all("ieee")
    assert settings() == ("ieee", "ieee")


def test_the_device_that_is_asked_alone_rounds(multiplies: Multiplies) -> None:
    multiplies(lambda name, _device: name)
    with matmul_precision("tf32", CUDA):
        assert all_settings() == ["ieee"] * 3 + ["tf32"] * 3
    with matmul_precision("bf16", CPU):
        assert all_settings() == ["bf16"] * 3 + ["ieee"] * 3


def test_a_device_that_multiplies_otherwise_is_refused(multiplies: Multiplies) -> None:
    multiplies(lambda _name, _device: "full")
    with pytest.raises(
        RunError, match="matmul: found tf32, but cpu multiplies in full here; set matmul: full, or take"
    ):
        matmul_precision("tf32", CPU).__enter__()
    with pytest.raises(RunError, match="found bf16, but cuda multiplies in full"):
        matmul_precision("bf16", CUDA).__enter__()  # which PyTorch itself refuses to set
    multiplies(lambda _name, _device: "tf32")
    with pytest.raises(
        RunError, match="matmul: found full, but something outside of PyTorch makes cuda multiply in tf32"
    ):
        matmul_precision("full", CUDA).__enter__()
    assert settings() == ("none", "none")


def test_rounded_products_are_another_run(tiny: Tiny) -> None:
    def ids(**changes: Any) -> set[str]:
        spec = make_spec(tiny(precision="float32", **changes))
        assert isinstance(spec, SweepSpec)
        return {run.id for run in expand(spec, "0123456789abcdef", lambda _: 20, canonical_names(spec))}

    assert ids() == ids(matmul="full")
    assert len(ids() | ids(matmul="tf32") | ids(matmul="bf16")) == 3 * len(ids())


def test_rounded_products_are_another_run_of_particles() -> None:
    content = {
        "kind": "particles", "name": "ridge", "functional": {"terms": [{"term": "quadratic"}]}, "precision": "float32",
        "initial": {"law": "gaussian", "coordinates": 2}, "axes": {"width": [8], "seed": 1},
        "dynamics": {"method": "euler", "step_size": 0.5, "time": 1.0, "records": {"spacing": "every", "k": 1}},
    }  # fmt: skip
    specs = [make_spec(content | more) for more in ({}, {"matmul": "full"}, {"matmul": "tf32"})]
    particles = [spec for spec in specs if isinstance(spec, ParticleSpec)]
    found = [run for spec in particles for run in expand_particles(spec, "0" * 16, canonical_names(spec))]
    assert found[0].id == found[1].id != found[2].id
    assert run_from_json(found[2].to_json()) == found[2]
    with pytest.raises(SpecError, match="matmul: found 'bf16' with precision 'float64'"):
        make_spec(content | {"matmul": "bf16", "precision": "float64"})


def test_rounded_products_are_of_single_precision(tiny: Tiny) -> None:
    with pytest.raises(SpecError, match="matmul: found 'tf32' with precision 'float64'; it is of float32 alone"):
        make_spec(tiny(matmul="tf32"))
    with pytest.raises(SpecError, match="matmul: found 'half'; allowed: 'full', 'tf32' or 'bf16'"):
        make_spec(tiny(matmul="half", precision="float32"))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, ...]]:
    """The settings under which turns compute."""
    found: set[tuple[str, ...]] = set()

    def watched(*arguments: Any, **more: Any) -> Tensor:
        found.add(settings())
        return loss(*arguments, **more)

    monkeypatch.setattr("sweepengine.execute._turn.loss", watched)
    return found


def test_a_sweep_multiplies_in_full_whatever_the_process_does(
    tiny: Tiny, tmp_path: Path, seen: set[tuple[str, ...]]
) -> None:
    torch.set_float32_matmul_precision("medium")
    spec = tiny(precision="float32")
    sweepengine.run(spec, tmp_path / "a.zarr", executor="inline", commit_seconds=1e-9)
    assert seen == {("ieee", "ieee")}
    assert settings() == ("bf16", "tf32")


def test_a_sweep_multiplies_as_it_says_and_keeps_it(
    tiny: Tiny, tmp_path: Path, seen: set[tuple[str, ...]], multiplies: Multiplies
) -> None:
    multiplies(lambda name, _device: name)
    spec = tiny(precision="float32", matmul="tf32", axes={"width": [8], "seed": 1})
    store = tmp_path / "a.zarr"
    assert sweepengine.run(spec, store, executor="inline", device="cpu").done == 2
    assert seen == {("tf32", "ieee")}
    assert settings() == ("none", "none")
    assert '"matmul":"tf32"' in (store / "zarr.json").read_text().replace(" ", "")
    with pytest.raises(sweepengine.errors.StoreError, match="matmul: the store has tf32, this spec full"):
        sweepengine.run(spec | {"matmul": "full"}, store, executor="inline")


def test_a_sweep_on_a_device_without_it_is_refused_before_anything_is_written(
    tiny: Tiny, tmp_path: Path, multiplies: Multiplies
) -> None:
    multiplies(lambda _name, _device: "full")
    with pytest.raises(RunError, match="matmul: found tf32, but cpu multiplies in full here"):
        sweepengine.run(tiny(precision="float32", matmul="tf32"), tmp_path / "a.zarr", executor="inline", device="cpu")
    assert not any(tmp_path.iterdir())


def test_a_device_that_is_found_wanting_on_a_worker_fails_the_runs(
    tiny: Tiny, tmp_path: Path, multiplies: Multiplies
) -> None:
    spec = tiny(precision="float32", matmul="bf16")
    asked: list[str] = []

    def there_but_not_here(name: str, _device: torch.device) -> str:
        asked.append(name)
        return name if len(asked) == 1 else "full"

    multiplies(there_but_not_here)
    outcome = sweepengine.run(spec, tmp_path / "a.zarr", executor="inline", device="cpu")
    assert (outcome.failed, outcome.done) == (outcome.runs, 0)
    assert np.isnan(sweepengine.open_sweep(tmp_path / "a.zarr").loss_train).all()


INTEL = "processor : 0\nvendor_id : GenuineIntel\nflags : fpu avx2 avx512f avx512_bf16"
AMD = "processor : 0\nvendor_id : AuthenticAMD\nflags : fpu avx2 avx512f avx512_bf16"


@pytest.mark.parametrize(
    ("description", "unused"),
    [
        (AMD, True),
        (INTEL, False),
        (AMD.replace("avx512f", ""), False),
        (AMD + " amx_bf16 amx_tile", False),  # it would round
        ("", False),
    ],
)
def test_only_a_cpu_that_mkl_leaves_behind_and_that_cannot_round_asks_another_library(
    description: str, unused: bool
) -> None:
    assert _matmul.has_unused_avx512(description) is unused


def test_large_products_keep_their_digits_whoever_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = all_settings()
    with matmul_precision("full", CPU, large=True):
        assert settings()[1] == "ieee"
        assert all(_matmul.keeps_digits(torch.mm, *shape) for shape in _matmul._SHAPES)
        assert _matmul.keeps_digits(lambda a, b: torch.zeros(len(a), b.shape[1]).addmm_(a, b), 512, 128, 64)
        assert _matmul.keeps_digits(lambda a, b: torch.bmm(a.expand(3, -1, -1), b.expand(3, -1, -1))[1], 64, 512, 64)
    assert all_settings() == before
    for digits, kept in ((23, True), (10, False), (7, False)):
        assert all(_matmul.keeps_digits(rounded(digits), *shape) is kept for shape in _matmul._SHAPES)
    _matmul._setting_of_large_products.cache_clear()
    monkeypatch.setattr(_matmul, "_cpu_description", lambda: AMD)
    monkeypatch.setattr(_matmul, "keeps_digits", lambda *_: False)
    with matmul_precision("full", CPU, large=True):
        assert settings() == ("ieee", "ieee")
    _matmul._setting_of_large_products.cache_clear()
    assert all_settings() == before


def test_products_with_a_vector_are_in_full_whoever_makes_the_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_matmul, "_setting_of_large_products", lambda: "bf16")
    seen: list[str] = []
    mv = torch.mv

    def watched(a: Tensor, v: Tensor) -> Tensor:
        seen.append(settings()[0])
        return mv(a, v)

    monkeypatch.setattr(torch, "mv", watched)
    large, small = torch.randn(300, 200), torch.randn(30, 20)
    with matmul_precision("full", CPU, large=True):
        asked = settings()[0]
        for a in (large, small, large.double()):
            v = torch.randn(a.shape[1], dtype=a.dtype)
            torch.testing.assert_close(times_vector(a, v), (a.double() @ v.double()).to(a.dtype), rtol=1e-4, atol=1e-4)
            assert settings()[0] == asked
    assert seen == ["ieee", asked, asked]


def test_a_scope_says_whether_products_are_in_full(multiplies: Multiplies) -> None:
    multiplies(lambda name, _device: name)
    assert not multiplies_in_full(CPU)
    with matmul_precision("full", CPU):
        assert multiplies_in_full(CPU)
        assert not multiplies_in_full(CUDA)
        with matmul_precision("bf16", CPU):
            assert not multiplies_in_full(CPU)
        assert multiplies_in_full(CPU)
    assert not multiplies_in_full(CPU)


def test_asked_for_rounding_is_no_matter_of_size(multiplies: Multiplies) -> None:
    multiplies(lambda name, _device: name)
    with matmul_precision("bf16", CPU, large=True):
        assert all_settings() == ["bf16"] * 3 + ["ieee"] * 3
    with matmul_precision("tf32", CUDA, large=True):
        assert all_settings() == ["ieee"] * 3 + ["tf32"] * 3
