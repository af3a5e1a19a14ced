"""Data that nest: a smaller set is the beginning of a larger one, and the test points are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from sweepengine.data import load
from sweepengine.errors import DataError
from sweepengine.spec import DigitsData, DrawnData, FileData, ShellsData

if TYPE_CHECKING:
    from pathlib import Path

    from sweepengine.data import Dataset

DIGITS = {"name": "digits", "classes": (3, 8), "n_test": 10, "seed": 4, "nested": True}


def of_sizes(family: str, tmp_path: Path, sizes: tuple[int, ...]) -> list[Dataset]:
    """Data sets of some family that differ in the number of training points alone."""
    if family.startswith("digits"):
        extra: dict[str, Any] = {"random_labels": True} if family == "digits, random labels" else {}
        return [load(DigitsData.model_validate(DIGITS | extra | {"n_train": n})) for n in sizes]
    if family == "shells":
        return [load(ShellsData(name="shells", d=5, delta=0.4, n_train=n, n_test=10, seed=4)) for n in sizes]
    if family == "drawn":
        law: dict[str, Any] = {"name": "sphere", "d": 5, "n_test": 10, "teacher": "neuron", "noise": 0.3, "outputs": 2}
        return [load(DrawnData(**law, n_train=n, seed=4)) for n in sizes]
    path = written(tmp_path / "points.npz", 40)
    return [load(FileData(name="file", path=path, preprocess="center_sphere", n_train=n)) for n in sizes]


def written(path: Path, count: int) -> str:
    """A file of the first so many of 40 training points, and of 10 test points."""
    rng = np.random.default_rng(0)
    x_train, y_train, x_test, y_test = (rng.standard_normal(shape) for shape in ((40, 5), 40, (10, 5), 10))
    np.savez(path, x_train=x_train[:count], y_train=y_train[:count], x_test=x_test, y_test=y_test)
    return str(path)


@pytest.mark.parametrize("family", ["digits", "digits, random labels", "drawn", "shells", "file"])
def test_a_larger_set_begins_with_a_smaller_one_and_has_its_test_points(family: str, tmp_path: Path) -> None:
    small, large = of_sizes(family, tmp_path, (16, 32))
    assert len(small.x_train) == 16
    np.testing.assert_array_equal(small.x_train, large.x_train[:16])
    np.testing.assert_array_equal(small.y_train, large.y_train[:16])
    np.testing.assert_array_equal(small.x_test, large.x_test)
    np.testing.assert_array_equal(small.y_test, large.y_test)
    assert small.id != large.id
    assert small.settings != large.settings


def test_digits_that_are_not_nested_are_as_they_were_and_do_not_nest() -> None:
    small, large = (load(DigitsData.model_validate(DIGITS | {"nested": False, "n_train": n})) for n in (16, 32))
    assert not np.allclose(small.x_train, large.x_train[:16])
    assert not np.allclose(small.x_test, large.x_test)


def test_no_test_point_of_nested_digits_is_a_training_point_or_part_of_the_mean() -> None:
    most = load(DigitsData.model_validate(DIGITS | {"n_train": 347, "preprocess": "none"}))
    assert not {row.tobytes() for row in most.x_train} & {row.tobytes() for row in most.x_test}
    centred = load(DigitsData.model_validate(DIGITS | {"n_train": 347}))
    expected = most.x_train - most.x_train.mean(0)
    np.testing.assert_allclose(centred.x_train, 8 * expected / np.linalg.norm(expected, axis=1, keepdims=True))
    # With all other points in training, nesting means nothing, and the content is known by the same id.
    more = load(DigitsData.model_validate(DIGITS | {"n_train": 300, "n_test": 57}))
    fewer = load(DigitsData.model_validate(DIGITS | {"n_train": 300, "n_test": 30}))
    np.testing.assert_array_equal(np.sign(more.y_test[:30]), np.sign(fewer.y_test))


def test_the_points_that_give_the_mean_are_part_of_the_content(tmp_path: Path) -> None:
    def made(name: str, preprocess: Literal["center_sphere", "none"], n: int | None, count: int) -> Dataset:
        path = written(tmp_path / name, count)
        return load(FileData(name="file", path=path, preprocess=preprocess, n_train=n))

    first_of_many = made("many.npz", "center_sphere", 16, 40)
    alone = made("few.npz", "center_sphere", None, 16)
    assert first_of_many.id != alone.id
    assert not np.allclose(first_of_many.x_train, alone.x_train)
    # Where no mean is taken, the points are the same, and so is the id.
    assert made("many.npz", "none", 16, 40).id == made("few.npz", "none", None, 16).id
    with pytest.raises(DataError, match=r"^data\.n_train: found 41, but x_train of .*many\.npz has 40 points"):
        made("many.npz", "none", 41, 40)
