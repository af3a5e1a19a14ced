"""Data that are drawn and not read: a teacher's function, and two shells of Gaussians."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sweepengine.spec._model import Count, Positive, _Model

Sampling = Annotated[
    Literal["fixed", "fresh"],
    Field(
        description="fixed: the same n_train points at every step; fresh: n_train new ones at every step, drawn from the "
        "run's seed, so that steps follow the population risk, which is then measured on n_train points of its own"
    ),
]
_Seed = Annotated[int, Field(ge=0, lt=2**63)]


class TeacherData(_Model):
    """Gaussian inputs x ~ N(0, I_d) with the targets of a teacher: the mean over its neurons of φ(w*·x), |w*| = 1."""

    name: Literal["teacher"]
    d: Count = Field(description="input dimension")
    n_train: Count
    n_test: Count
    neurons: Count = 1
    activation: Literal["relu", "abs", "tanh", "sin", "quadratic"] = "relu"
    sampling: Sampling = "fixed"
    seed: _Seed = Field(default=0, description="of the teacher and of the points")


class ShellsData(_Model):
    """Mei, Montanari & Nguyen (PNAS 2018): y = ±1 with equal chance and x | y ~ N(0, (1 ± Δ)² I_d)."""

    name: Literal["shells"]
    d: Count = Field(description="input dimension")
    delta: Annotated[Positive, Field(lt=1)] = Field(description="Δ in (0, 1)")
    n_train: Count
    n_test: Count
    sampling: Sampling = "fixed"
    seed: _Seed = Field(default=0, description="of the points")


SyntheticData = TeacherData | ShellsData
