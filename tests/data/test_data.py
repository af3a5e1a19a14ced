"""Data of every kind: what comes out, what the ids depend on, and what is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import sweepengine
from sweepengine.data import _digits, check_cost, load
from sweepengine.errors import DataError, SpecError, StoreError
from sweepengine.spec import SweepSpec, make_spec, read_spec
from tests.support.memory import free_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sweepengine.data import Dataset

    Tiny = Callable[..., dict[str, Any]]

DRAWN = {"name": "gaussian", "d": 5, "n_train": 40, "n_test": 30, "teacher": "neuron"}
PINNED_DIGITS, PINNED_DRAWN = "2ee0574f93be358b", "1cccc9866195db4c"


@pytest.fixture
def dataset(tiny: Tiny) -> Callable[..., Dataset]:
    """The data of a section that is changed, or of another section."""

    def made(section: dict[str, Any] | None = None, **changes: Any) -> Dataset:
        content = tiny()
        spec = make_spec(content | {"data": (section or content["data"]) | changes})
        assert isinstance(spec, SweepSpec)
        return load(spec.data)

    return made


def test_classes_become_signs_or_columns(dataset: Callable[..., Dataset]) -> None:
    two, three = dataset(), dataset(classes=[7, 0, 2], n_train=60)
    assert two.outputs == 1
    assert set(two.y_train) == {-1.0, 1.0}
    assert three.y_train.shape == (60, 3)
    assert set(np.unique(three.y_train)) == {0.0, 1.0}
    np.testing.assert_array_equal(three.y_train.sum(1), 1)
    # Columns in the order of the spec; the same points whatever the order.
    turned = dataset(classes=[2, 7, 0], n_train=60)
    np.testing.assert_array_equal(turned.x_train, three.x_train)
    np.testing.assert_array_equal(turned.y_train[:, [1, 2, 0]], three.y_train)
    # A column is the indicator of its digit.
    alone = dataset(classes=[7, 0], n_train=60, targets="one_hot")
    np.testing.assert_array_equal(alone.y_train, np.stack([dataset(n_train=60, classes=c).y_train > 0
                                                           for c in ([0, 7], [7, 0])], axis=1))  # fmt: skip
    np.testing.assert_array_equal(
        dataset(classes=[7, 0, 2], n_train=60, targets="signs").y_train, 2 * three.y_train - 1
    )


def test_images_are_those_of_scikit_learn_wherever_it_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, digit = load_digits(return_X_y=True)
    for file in (_digits._FILE, "sklearn/elsewhere.csv.gz"):
        monkeypatch.setattr(_digits, "_FILE", file)
        found = _digits._images()
        np.testing.assert_array_equal(found[0], expected)
        np.testing.assert_array_equal(found[1], digit)


def test_random_labels_know_nothing_of_the_points(dataset: Callable[..., Dataset]) -> None:
    for classes, share in (([3, 8], 1 / 2), ([1, 3, 8], 1 / 3)):
        shown = dataset(classes=classes, n_train=200, n_test=100)
        drawn = dataset(classes=classes, n_train=200, n_test=100, random_labels=True)
        np.testing.assert_array_equal(drawn.x_train, shown.x_train)
        same = (drawn.y_train == shown.y_train).reshape(200, -1).all(1).mean()
        assert abs(same - share) < 4 * math.sqrt(share * (1 - share) / 200)
        assert drawn.id != shown.id
        fewer = dataset(classes=classes, n_train=50, n_test=100, random_labels=True)
        np.testing.assert_array_equal(fewer.y_train, drawn.y_train[:50])
        again = dataset(classes=classes, n_train=200, n_test=100, random_labels=True, seed=1)
        assert (again.y_train != drawn.y_train).any()


def test_drawn_points_have_their_law_and_their_teacher(dataset: Callable[..., Dataset]) -> None:
    many = {"n_train": 4000, "n_test": 10, "d": 8}
    gaussian = dataset(DRAWN, **many)
    covariance = gaussian.x_train.T @ gaussian.x_train / 4000
    assert np.abs(covariance - np.eye(8)).max() < 5 * math.sqrt(2 / 4000)
    sphere = dataset(DRAWN, **many, name="sphere")
    np.testing.assert_allclose((sphere.x_train**2).sum(1), 8, rtol=1e-14)
    assert np.abs(sphere.x_train.mean(0)).max() < 5 / math.sqrt(4000)
    linear = dataset(DRAWN, **many, teacher="linear")
    direction = np.linalg.lstsq(linear.x_train, linear.y_train, rcond=None)[0]
    assert np.linalg.norm(direction) == pytest.approx(1, rel=1e-12)
    h = linear.x_train @ direction
    np.testing.assert_allclose(gaussian.y_train, np.maximum(h, 0), atol=1e-12)
    np.testing.assert_allclose(dataset(DRAWN, **many, teacher="quadratic").y_train, h**2 - 1, atol=1e-11)
    np.testing.assert_array_equal(dataset(DRAWN, **many, teacher="sign").y_train, np.sign(h))
    chance = dataset(DRAWN, **many, teacher="random_signs").y_train
    assert set(chance) == {-1.0, 1.0}
    assert abs((chance * np.sign(h)).mean()) < 4 / math.sqrt(4000)
    noisy = dataset(DRAWN, **many, noise=0.5)
    assert np.std(noisy.y_train - gaussian.y_train) == pytest.approx(0.5, rel=0.05)
    np.testing.assert_array_equal(noisy.y_test, gaussian.y_test)


def test_drawn_points_are_nested_and_seeded(dataset: Callable[..., Dataset]) -> None:
    few, more = dataset(DRAWN, noise=0.1), dataset(DRAWN, noise=0.1, n_train=300, n_test=31, outputs=3)
    np.testing.assert_allclose(more.y_train[:40, 0], few.y_train, rtol=1e-13)
    np.testing.assert_array_equal(more.x_train[:40], few.x_train)
    np.testing.assert_array_equal(more.x_test[:30], few.x_test)
    assert np.abs(np.corrcoef(more.y_train, rowvar=False) - np.eye(3)).max() < 0.9
    other = dataset(DRAWN, noise=0.1, seed=1)
    assert not (other.x_train == few.x_train).any()
    assert not np.isin(few.x_test, few.x_train).any()


def test_ids_are_those_of_the_content(dataset: Callable[..., Dataset]) -> None:
    digits = [dataset(), dataset(seed=1), dataset(n_test=11), dataset(classes=[8, 3]), dataset(preprocess="none"),
              dataset(targets="one_hot"), dataset(random_labels=True)]  # fmt: skip
    drawn = [dataset(DRAWN), *(dataset(DRAWN, **{key: value}) for key, value in
             [("name", "sphere"), ("d", 6), ("n_train", 41), ("n_test", 31), ("teacher", "linear"), ("noise", 0.1),
              ("noise", 0.2), ("outputs", 2), ("seed", 1)])]  # fmt: skip
    ids = [each.id for each in (*digits, *drawn)]
    assert len(set(ids)) == len(ids)
    assert dataset(targets="signs").id == digits[0].id == PINNED_DIGITS  # written out or not, the same content
    assert drawn[0].id == dataset(DRAWN, noise=0.0).id == PINNED_DRAWN


def test_drawn_data_beyond_any_memory_are_refused(
    dataset: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SpecError, match=r"data: found 7000000\d* numbers in all, more than the"):
        dataset(DRAWN, d=10_000_000, n_train=400, n_test=300)
    with pytest.raises(SpecError, match=r"data: found 7000000\d* numbers in all, more than the"):
        dataset({"name": "shells", "d": 10_000_000, "delta": 0.5, "n_train": 400, "n_test": 300})
    free_memory(monkeypatch, 16 * 2 * 256 * 6 - 1)
    with pytest.raises(DataError, match=r"data: what is drawn takes 4\.92e-05 GB, and .* are free; take fewer points"):
        dataset(DRAWN)
    with pytest.raises(SpecError, match=r"data\.noise: found -1"):
        dataset(DRAWN, noise=-1.0)
    with pytest.raises(SpecError, match="data: targets: found 'signs' without classes"):
        dataset({"name": "file", "path": "d.npz", "targets": "signs"})


def arrays(n: int = 12, k: int | None = None) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    shape = () if k is None else (k,)
    return {
        "x_train": rng.standard_normal((n, 4)), "y_train": rng.standard_normal((n, *shape)),
        "x_test": rng.standard_normal((10, 4)), "y_test": rng.standard_normal((10, *shape)),
    }  # fmt: skip


def test_files_give_their_own_arrays(dataset: Callable[..., Dataset], tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    for content in (arrays(), arrays(k=3)):
        np.savez(path, **content)
        found = dataset({"name": "file", "path": str(path)})
        for name, values in content.items():
            np.testing.assert_array_equal(getattr(found, name), values)
    single = arrays(k=1)
    np.savez(path, **single)
    np.testing.assert_array_equal(dataset({"name": "file", "path": str(path)}).y_test, single["y_test"][:, 0])
    labels = arrays() | {"y_train": np.arange(12) % 3, "y_test": np.arange(10, dtype=np.uint8) % 3}
    np.savez(path, **labels)
    found = dataset({"name": "file", "path": str(path), "classes": 3, "preprocess": "center_sphere"})
    np.testing.assert_array_equal(found.y_test, np.eye(3)[labels["y_test"]])
    np.testing.assert_allclose((found.x_train**2).sum(1), 4, rtol=1e-14)
    # The content, and not the place or the type of its numbers, is what the id knows.
    moved = tmp_path / "moved.npz"
    floats: dict[str, Any] = {name: np.asarray(values, dtype=np.float64) for name, values in labels.items()}
    np.savez_compressed(moved, **floats)
    again = dataset({"name": "file", "path": str(moved), "classes": 3, "preprocess": "center_sphere"})
    assert again.id == found.id
    labels["x_train"][0, 0] += 1e-15
    np.savez(path, **labels)
    assert dataset({"name": "file", "path": str(path), "classes": 3, "preprocess": "center_sphere"}).id != found.id


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in arrays().items() if key != name}


BAD_FILES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (without("y_test"), {}, r"no array 'y_test'; found x_test, x_train, y_train; add it to the file"),
    (arrays() | {"y_train": np.array([{}] * 12)}, {}, r"y_train holds Python objects; expected real numbers"),
    (arrays() | {"x_train": np.full((12, 4), "a")}, {}, r"x_train holds text; expected real numbers"),
    (arrays() | {"x_train": np.ones((12, 4), complex)}, {}, r"x_train holds complex numbers"),
    (arrays() | {"x_test": np.full((10, 4), np.nan)}, {}, r"x_test holds numbers that are not finite"),
    (arrays() | {"y_train": np.full(12, np.inf)}, {}, r"y_train holds numbers that are not finite"),
    (arrays() | {"x_train": np.ones(12)}, {}, r"x_train has shape \(12,\); expected \(points, d\)"),
    (arrays() | {"x_train": np.ones((0, 4))}, {}, r"x_train has shape \(0, 4\)"),
    (arrays() | {"x_train": np.ones((12, 5))}, {}, r"x_train has points of d = 5, x_test of d = 4"),
    (arrays(13) | {"x_train": np.ones((12, 4))}, {}, r"y_train has shape \(13,\); expected \(12,\) or \(12, k\)"),
    (arrays() | {"y_test": np.ones((10, 2))}, {}, r"y_train has shape \(12,\), y_test \(10, 2\)"),
    (arrays(k=2), {"classes": 2}, r"y_train has shape \(12, 2\); expected \(12,\) of labels"),
    (arrays() | {"y_train": np.full(12, 3)}, {"classes": 3},
     r"y_train holds 3; with classes: 3 labels are whole .* 0 … 2"),
    (arrays() | {"y_train": np.full(12, -1)}, {"classes": 3}, r"y_train holds -1"),
    (arrays() | {"y_train": np.full(12, 0.5)}, {"classes": 3}, r"y_train holds 0\.5"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "section", "message"), BAD_FILES, ids=[each[-1][:25] for each in BAD_FILES])
def test_bad_files_say_what_is_wrong(
    dataset: Callable[..., Dataset], tmp_path: Path, content: dict[str, Any], section: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "d.npz", **content)
    with pytest.raises(DataError, match=rf"data\.path: .*{message}"):
        dataset({"name": "file", "path": str(tmp_path / "d.npz")} | section)


def test_what_is_no_archive_of_arrays_is_refused(dataset: Callable[..., Dataset], tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    section = {"name": "file", "path": str(path)}
    with pytest.raises(DataError, match=r"data\.path: .*d\.npz: there is no such file"):
        dataset(section)
    np.savez(path, **arrays())
    torn = path.read_bytes()[:200]
    np.save(tmp_path / "one.npy", np.ones(3))
    for content in (b"", b"x,y\n1,2\n", torn, (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"is no \.npz of plain arrays") as caught:
            dataset(section)
        assert "pickle" not in str(caught.value)
        assert str(caught.value).endswith("write it with numpy.savez")
    with pytest.raises(DataError, match=r"cannot be read: a folder, pipe or device, and no plain file"):
        dataset({"name": "file", "path": str(tmp_path)})


@pytest.mark.parametrize(
    ("changes", "loss", "message"),
    [
        ({"classes": [0, 1, 2]}, "logistic", r"logistic needs targets −1 and \+1, found 0 .*targets: signs"),
        ({}, "cross_entropy", r"cross_entropy needs an output for each class, found one .*one_hot"),
        ({"classes": [0, 1, 2], "targets": "signs"}, "cross_entropy", r"cross_entropy needs targets ≥ 0 that sum to 1"),
    ],
)
def test_costs_refuse_targets_that_are_not_theirs(
    dataset: Callable[..., Dataset], changes: dict[str, Any], loss: str, message: str
) -> None:
    with pytest.raises(SpecError, match=rf"training\.loss: {message}"):
        check_cost(dataset(**changes), loss)
    for fitting in ("mse", "huber"):
        check_cost(dataset(**changes), fitting)


def test_a_spec_names_files_from_its_own_folder_and_a_store_knows_their_content(tiny: Tiny, tmp_path: Path) -> None:
    import yaml

    folder = tmp_path / "specs"
    folder.mkdir()
    content = tiny(axes={"scaling": ["ntk"], "width": [8], "seed": 1}, observables=["loss_train"]) | {
        "data": {"name": "file", "path": "d.npz"}
    }
    (folder / "s.yaml").write_text(yaml.safe_dump(content))
    np.savez(folder / "d.npz", **arrays(k=2))
    assert read_spec(folder / "s.yaml").data.path == str(folder / "d.npz")  # type: ignore[union-attr]
    store = tmp_path / "s.zarr"
    assert sweepengine.run(folder / "s.yaml", store, executor="inline").done == 1
    # The same content from another place is the same sweep; other content is not.
    (folder / "d.npz").rename(tmp_path / "d.npz")
    (folder / "s.yaml").write_text(yaml.safe_dump(content | {"data": {"name": "file", "path": "../d.npz"}}))
    assert sweepengine.run(folder / "s.yaml", store, executor="inline").skipped == 1
    np.savez(tmp_path / "d.npz", **arrays(13, k=2))
    with pytest.raises(StoreError, match="was written with other data"):
        sweepengine.run(folder / "s.yaml", store, executor="inline")
