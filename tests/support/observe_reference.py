"""Every variable of networks a second time: what theory.md defines, by automatic differentiation, with no signals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tests.support.networks_reference import PHI, plain_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sweepengine.spec import Architecture

    Named = dict[str, Tensor]


def rows(jacobian: Tensor) -> Tensor:
    return jacobian.reshape(len(jacobian), -1)


def rms(values: Tensor) -> Tensor:
    return values.square().mean().sqrt()


class Points(NamedTuple):
    """Training and test points with their targets."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


class PlainCost(NamedTuple):
    """∂ℓ/∂f of (f, y), and the mean of ℓ over points."""

    gradient: Callable[[Tensor, Tensor], Tensor]
    mean: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class PlainMoment:
    """One network after some steps of descent, and at t = 0; ``rates`` are the learning-rate multipliers by name."""

    a: Architecture
    gamma: float
    alpha: float
    rates: dict[str, float]
    points: Points
    cost: PlainCost
    eta: float
    step: int
    first: Named
    last: Named

    @property
    def m(self) -> int:
        return self.first[f"W{self.a.depth}"].shape[0]

    @property
    def speed(self) -> float:
        power: float = float(self.m) ** (2 * self.gamma - 1)
        return power / self.alpha**2

    def raw(self, named: Named, x: Tensor) -> Tensor:
        return plain_output(self.a, named, x, self.gamma, self.alpha)

    def f(self, named: Named, x: Tensor) -> Tensor:
        return self.raw(named, x) - (self.raw(self.first, x) if self.a.centred else 0.0)

    def hidden(self, named: Named, x: Tensor) -> list[Tensor]:
        """h^1 … h^L."""
        phi, found = PHI[self.a.activation], []
        below = x
        for layer in range(self.a.depth):
            h = self.a.sigma_w / math.sqrt(below.shape[1]) * below @ named[f"W{layer}"].T
            found.append(h + self.a.sigma_b * named[f"b{layer}"] if self.a.sigma_b else h)
            below = phi(found[-1])
        return found

    def from_hidden(self, named: Named, layer: int, h: Tensor) -> Tensor:
        """f from h^layer on (layers from 1)."""
        phi = PHI[self.a.activation]
        for above in range(layer, self.a.depth):
            h = self.a.sigma_w / math.sqrt(h.shape[1]) * phi(h) @ named[f"W{above}"].T
            h = h + self.a.sigma_b * named[f"b{above}"] if self.a.sigma_b else h
        f = self.a.sigma_a * phi(h) @ named[f"W{self.a.depth}"]
        if self.a.output_bias:
            f = f + math.sqrt(self.m) * self.a.sigma_b * named[f"b{self.a.depth}"]
        out: Tensor = self.alpha * self.m**-self.gamma * f
        return out

    def signals(self, named: Named) -> list[Tensor]:
        """(m^γ/α) ∂f/∂h^l, shapes (N, k, n_l)."""
        found = []
        for layer, h in enumerate(self.hidden(named, self.points.x), start=1):

            def one(row: Tensor, layer: int = layer) -> Tensor:
                return self.from_hidden(named, layer, row.unsqueeze(0)).reshape(-1)

            found.append(self.m**self.gamma / self.alpha * torch.stack([torch.func.jacrev(one)(row) for row in h]))
        return found

    def jacobian(self, named: Named, x: Tensor) -> Named:
        """∂f/∂θ by name, shapes (Nk, *shape)."""
        return dict(torch.func.jacrev(lambda p: self.raw(p, x).reshape(-1))(named))

    def kernel(self, named: Named, x: Tensor, other: Tensor) -> Tensor:
        left, right = self.jacobian(named, x), self.jacobian(named, other)
        parts = [self.rates[name] * rows(left[name]) @ rows(right[name]).T for name in left]
        return self.speed * torch.stack(parts).sum(0)

    def residual(self, named: Named) -> Tensor:
        return self.cost.gradient(self.f(named, self.points.x), self.points.y)

    def velocity(self, jacobian: Named, residual: Tensor) -> Named:
        """What residuals make the parameters move by in a step."""
        flat, scale = residual.reshape(-1), -self.eta / len(self.points.x) * self.speed
        return {name: scale * self.rates[name] * torch.tensordot(flat, each, dims=1) for name, each in jacobian.items()}

    def linearised(self) -> tuple[Named, Tensor, Tensor]:
        """ω_t by its own steps of descent, and f^lin on training and test points."""
        jacobian, cross = self.jacobian(self.first, self.points.x), self.jacobian(self.first, self.points.x_test)
        omega = {name: torch.zeros_like(each) for name, each in self.first.items()}

        def linear(of: Named, x: Tensor) -> Tensor:
            moved = torch.stack([rows(each) @ omega[name].flatten() for name, each in of.items()]).sum(0)
            f = self.f(self.first, x)
            return f + moved.reshape(f.shape)

        for _ in range(self.step):
            added = self.velocity(jacobian, self.cost.gradient(linear(jacobian, self.points.x), self.points.y))
            omega = {name: omega[name] + added[name] for name in omega}
        return omega, linear(jacobian, self.points.x), linear(cross, self.points.x_test)

    def layer_changes(self) -> list[tuple[Tensor, Tensor]]:
        """(change, first) of each layer's matrix, the bias as the last column."""
        pairs = []
        for layer in range(self.a.depth + 1):
            ends = [named[f"W{layer}"].reshape(len(named[f"W{layer}"]), -1) for named in (self.last, self.first)]
            if layer < self.a.depth and self.a.sigma_b:
                biases = [named[f"b{layer}"].unsqueeze(1) for named in (self.last, self.first)]
                ends = [torch.cat(each, dim=1) for each in zip(ends, biases, strict=True)]
            pairs.append((ends[0] - ends[1], ends[1]))
        return pairs

    def hessian_rms(self) -> Tensor:
        """Over all entries of each pair of weights, by two Jacobians."""
        blocks = torch.func.jacrev(torch.func.jacrev(lambda p: self.raw(p, self.points.x)))(self.last)
        size = self.a.depth + 1
        found = torch.zeros(size, size, dtype=torch.float64)
        for one in range(size):
            for two in range(size):
                if self.rates[f"W{one}"] and self.rates[f"W{two}"]:
                    found[one, two] = rms(blocks[f"W{one}"][f"W{two}"])
        return found

    def taylor_tensor(self, jacobian: Named) -> Tensor:
        """Over all triples, by a Jacobian of a Jacobian along the tangents themselves."""
        pairs = self.points.y.numel()
        tangents = [self.velocity(jacobian, torch.eye(pairs, dtype=torch.float64)[pair]) for pair in range(pairs)]

        def along(c: Tensor) -> Tensor:
            moved = {
                name: each + torch.tensordot(c, torch.stack([t[name] for t in tangents]), dims=1)
                for name, each in self.last.items()
            }
            return self.raw(moved, self.points.x)

        second = torch.func.jacrev(torch.func.jacrev(along))(torch.zeros(pairs, dtype=torch.float64))
        return rms(second) * (len(self.points.x) / self.eta) ** 2

    def variables(self) -> dict[str, Tensor]:
        """Every variable."""
        net, first, last = self, self.first, self.last
        many = self.points.y.dim() == 2
        f, f_test, start = net.f(last, net.points.x), net.f(last, net.points.x_test), net.f(first, net.points.x)
        k, n = (self.points.y.shape[1] if many else 1), len(self.points.x)

        def traced(matrix: Tensor, rows: int) -> Tensor:
            return torch.einsum("iojo->ij", matrix.reshape(rows, k, n, k)) / k

        now, old = net.kernel(last, net.points.x, net.points.x), net.kernel(first, net.points.x, net.points.x)
        values, vectors = torch.linalg.eigvalsh(now), torch.linalg.eigh(old)[1]
        share = values.clamp_min(0) / values.clamp_min(0).sum()
        center = torch.eye(n * k, dtype=torch.float64) - 1 / (n * k)
        centred = [center @ each @ center for each in (now, old)]
        y = net.points.y.reshape(-1)
        cross = net.kernel(last, net.points.x_test, net.points.x)
        modes = vectors.T @ net.residual(last).reshape(-1)
        modes = modes * torch.sign(vectors.T @ net.residual(first).reshape(-1))
        hidden, hidden_first, signals = (
            net.hidden(last, net.points.x),
            net.hidden(first, net.points.x),
            net.signals(last),
        )
        phi = [net.points.x, *(PHI[net.a.activation](h) for h in hidden)]
        changes = net.layer_changes()
        every = [last[name] - first[name] for name in first]
        omega, linear, linear_test = net.linearised()
        moved = torch.cat([each.flatten() for each in every])
        gone = torch.cat([each.flatten() for each in omega.values()])
        jacobian, jacobian_first = net.jacobian(last, net.points.x), net.jacobian(first, net.points.x)
        delta = net.velocity(jacobian, net.residual(last))

        def along(t: Tensor) -> Tensor:
            return net.f({name: last[name] + t * delta[name] for name in last}, net.points.x)

        zero = torch.zeros((), dtype=torch.float64)
        slope = torch.func.jacrev(along)(zero)
        along_first = [rows(each) @ (last[name] - first[name]).flatten() for name, each in jacobian_first.items()]
        defect = torch.stack(along_first).sum(0).reshape(f.shape)
        depth = net.a.depth
        grams_g = [torch.einsum("iop,jop->ij", g, g) / (net.m * k) for g in signals]
        return {
            "loss_train": net.cost.mean(f, net.points.y),
            "loss_test": net.cost.mean(f_test, net.points.y_test),
            "outputs_train": f,
            "outputs_test": f_test,
            "accuracy_train": accuracy(f, net.points.y),
            "accuracy_test": accuracy(f_test, net.points.y_test),
            "residual_norm": net.residual(last).norm(),
            "kernel": traced(now, n),
            "kernel_full": now.reshape(n, k, n, k) if many else now,
            "kernel_diagonal": now.diagonal().reshape(f.shape),
            "kernel_test_train": traced(cross, len(net.points.x_test)),
            "kernel_drift": (now - old).norm() / old.norm(),
            "kernel_drift_op": torch.linalg.matrix_norm(now - old, 2) / torch.linalg.matrix_norm(old, 2),
            "kernel_alignment": y @ now @ y / (now.norm() * y @ y),
            "kernel_cka": (centred[0] * centred[1]).sum() / (centred[0].norm() * centred[1].norm()),
            "kernel_eigenvalues": values,
            "kernel_lambda_min": values[0],
            "kernel_lambda_max": values[-1],
            "kernel_effective_rank": torch.exp(-(share[share > 0] * share[share > 0].log()).sum()),
            "residual_modes": modes,
            "feature_gram": torch.stack([each @ each.T / each.shape[1] for each in phi]),
            "signal_gram": torch.stack(grams_g),
            "preactivation_movement": torch.stack([rms(a - b) for a, b in zip(hidden, hidden_first, strict=True)]),
            "activation_flips": torch.stack(
                [((a > 0) != (b > 0)).double().mean() for a, b in zip(hidden, hidden_first, strict=True)]
            ),
            "preactivation_square": torch.stack([h.square().mean(1) for h in hidden]),
            "preactivation_fourth": torch.stack([h.pow(4).mean(1) for h in hidden]),
            "preactivation_square_pair": torch.stack([pairs(h) for h in hidden]),
            "output_variance": net.a.sigma_a**2 * phi[-1].square().mean(1) + net.a.sigma_b**2 * net.a.output_bias,
            "backward_projection": torch.stack([net.projection(phi, signals, layer) for layer in range(1, depth + 1)]),
            "backward_covariance": torch.stack([net.covariance(phi, signals, layer) for layer in range(1, depth + 1)]),
            "movement_relative": torch.stack([change.norm() / before.norm() for change, before in changes]),
            "movement_frobenius": torch.stack([change.norm() for change, _ in changes]),
            "movement_rms_entry": torch.stack([rms(change) for change, _ in changes]),
            "movement_row_max": torch.stack([change.norm(dim=1).max() for change, _ in changes]),
            "movement_op": torch.stack([torch.linalg.matrix_norm(change, 2) for change, _ in changes]) / net.m**0.5,
            "movement_total": moved.norm() / torch.cat([each.flatten() for each in first.values()]).norm(),
            "neuron_growth": net.neuron_growth(),
            "weights": torch.cat([each.flatten() for each in last.values()]),
            "linear_distance_train": rms(f - linear),
            "linear_distance_test": rms(f_test - linear_test),
            "random_feature_distance": (f - linear).abs().max(),
            "linear_params_distance": (moved - gone).norm() / moved.norm() if net.step else zero,
            "linearisation_defect": rms(f - start - defect),
            "taylor_second_order": rms(along(zero + 1) - f - slope),
            "taylor_quadratic": rms(torch.func.jacrev(torch.func.jacrev(along))(zero)) / 2,
            "taylor_tensor": net.taylor_tensor(jacobian),
            "jacobian_rms": torch.stack(
                [net.rates[f"W{layer}"] * rms(jacobian[f"W{layer}"]) for layer in range(depth + 1)]
            ),
            "jacobian_rms_bias": torch.stack(
                [
                    net.rates[name] * rms(jacobian[name]) if name in jacobian else zero * torch.nan
                    for name in (f"b{layer}" for layer in range(depth + 1))
                ]
            ),
            "hessian_rms": net.hessian_rms(),
        }

    def projection(self, phi: list[Tensor], signals: list[Tensor], layer: int) -> Tensor:
        """‖P_φ z‖²/‖z‖² of a layer, by least squares, mean over points and outputs."""
        weight = self.last[f"W{layer}"]
        readout = weight.reshape(len(weight), -1).T
        z = (signals[layer] @ weight).reshape(-1, weight.shape[1]) if layer < self.a.depth else readout
        basis, columns = phi[layer].numpy().T, z.numpy().T
        inside = basis @ np.linalg.lstsq(basis, columns, rcond=None)[0]
        return torch.tensor(np.mean((inside**2).sum(0) / (columns**2).sum(0)))

    def covariance(self, phi: list[Tensor], signals: list[Tensor], layer: int) -> Tensor:
        """z_i P^⊥ z_j over the number of directions that the features leave, with the projection as a matrix."""
        weight, n = self.last[f"W{layer}"], len(self.points.x)
        readout = weight.reshape(len(weight), -1).T
        z = signals[layer] @ weight / self.m**0.5 if layer < self.a.depth else readout.expand(n, -1, -1)
        outside = torch.eye(phi[layer].shape[1], dtype=torch.float64) - torch.linalg.pinv(phi[layer]) @ phi[layer]
        free = phi[layer].shape[1] - torch.linalg.matrix_rank(phi[layer])
        gram: Tensor = torch.einsum("ion,np,jop->ij", z, outside, z) / (free * z.shape[1])
        return gram

    def neuron_growth(self) -> Tensor:
        depth, sizes = self.a.depth, []
        for named in (self.last, self.first):
            parts = [named[f"W{depth}"].reshape(self.m, -1), named[f"W{depth - 1}"]]
            parts += [named[f"b{depth - 1}"].unsqueeze(1)] if self.a.sigma_b else []
            sizes.append(torch.cat(parts, dim=1).square().sum(1))
        return (sizes[0] / sizes[1]).max().sqrt()

    def wrong(self) -> PlainMoment:
        """The same with each thing wrong by a few percent that a variable may forget or double."""
        last = {name: tensor * 1.01 + 0.01 for name, tensor in self.last.items()}
        a = replace(self.a, sigma_w=1.03 * self.a.sigma_w, sigma_a=1.02 * self.a.sigma_a)
        x, y, x_test, y_test = self.points
        y, y_test = (each + 0.01 * torch.arange(each.numel()).reshape(each.shape) for each in (y, y_test))
        gamma, alpha, eta = self.gamma * 1.02, self.alpha * 1.03, self.eta * 1.02
        return replace(self, a=a, gamma=gamma, alpha=alpha, last=last, points=Points(x, y, x_test, y_test), eta=eta)


def pairs(h: Tensor) -> Tensor:
    """Mean of h_j² h_k² over j ≠ k, the long way."""
    n = h.shape[1]
    both = h.square().unsqueeze(1) * h.square().unsqueeze(2)
    both = both * (1 - torch.eye(n, dtype=torch.float64))
    return both.sum((1, 2)) / (n * (n - 1))


def accuracy(f: Tensor, y: Tensor) -> Tensor:
    if f.dim() == 1:
        return (f * y > 0).double().mean()
    top = f.topk(2, dim=1)
    return ((top.indices[:, 0] == y.argmax(1)) & (top.values[:, 0] > top.values[:, 1])).double().mean()
