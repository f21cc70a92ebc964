"""Each method on a problem whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from bptt.derive.errors import UserError
from bptt.training import Options, fit
from bptt.training.methods.descent import Descent, clipped
from bptt.training.methods.hessian_free import HessianFree
from bptt.training.methods.levenberg import (
    BayesianRegularisation,
    Damping,
    LevenbergMarquardt,
    Normal,
    effective_parameters,
    log_evidence,
)
from bptt.training.methods.line_search import LimitedMemory, LineSearch, PolakRibiere
from bptt.training.methods.rules import Adagrad, Adam, GradientDescent, RMSprop, Rule
from bptt.training.methods.schedules import Constant, Cosine, Exponential, Stepwise, WarmUp
from bptt.training.methods.state import NotFiniteError, State
from bptt.training.objective import Evaluation


class Rosenbrock:
    """100 (y - x²)² + (1 - x)² as a sum of squares; its minimum is 0 at (1, 1)."""

    scale = 1.0

    def errors(self, x: Any) -> Any:
        return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    def errors_and_jacobian(self, x: Any) -> Any:
        return self.errors(x), np.array([[-20 * x[0], 10], [-1, 0]])

    def loss(self, x: Any) -> float:
        return float(self.errors(x) @ self.errors(x))

    def evaluate(self, x: Any) -> Evaluation:
        errors, jacobian = self.errors_and_jacobian(x)
        return Evaluation(float(errors @ errors), 2 * jacobian.T @ errors)

    def gauss_newton(self, x: Any, direction: Any) -> Any:
        jacobian = self.errors_and_jacobian(x)[1]
        return 2 * jacobian.T @ (jacobian @ direction)


class Linear:
    """Errors X w - d: least squares, whose answer `numpy.linalg.lstsq` gives."""

    def __init__(self, seed: int = 0, rows: int = 30, columns: int = 6, noise: float = 0.1) -> None:
        rng = np.random.default_rng(seed)
        self.design = rng.standard_normal((rows, columns))
        self.target = self.design @ rng.standard_normal(columns)
        self.target += noise * rng.standard_normal(rows)
        self.scale = 1 / rows

    @property
    def answer(self) -> Any:
        return np.linalg.lstsq(self.design, self.target)[0]

    def errors(self, w: Any) -> Any:
        return self.design @ w - self.target

    def errors_and_jacobian(self, w: Any) -> Any:
        return self.errors(w), self.design

    def loss(self, w: Any) -> float:
        return self.scale * float(self.errors(w) @ self.errors(w))

    def evaluate(self, w: Any) -> Evaluation:
        return Evaluation(self.loss(w), 2 * self.scale * self.design.T @ self.errors(w))

    def gauss_newton(self, w: Any, direction: Any) -> Any:
        return 2 * self.scale * self.design.T @ (self.design @ direction)


def iterated(method: Any, objective: Any, start: Any, most: int) -> State:
    state: State = method.start(np.array(start, float))
    while not state.done and state.steps < most:
        state = method.step(objective, state)
    return state


@pytest.mark.parametrize(
    ("method", "most"),
    [
        (LevenbergMarquardt(), 60),
        (LineSearch(LimitedMemory()), 60),
        (LineSearch(PolakRibiere()), 150),
        (HessianFree(), 80),
        (Descent(Adam(), 2e-2), 6000),
        (Descent(RMSprop(), 5e-3, Exponential(1e-2, 10000)), 12000),
        (Descent(Adagrad(), 0.5), 12000),
        (Descent(GradientDescent(), 1.5e-3), 30000),
        (Descent(GradientDescent(0.9), 4e-4), 12000),
        (Descent(GradientDescent(0.9, nesterov=True), 4e-4), 12000),
    ],
    ids=lambda v: type(getattr(v, "rule", getattr(v, "directions", v))).__name__,
)
def test_rosenbrock(method: Any, most: int) -> None:
    found = iterated(method, Rosenbrock(), [-1.2, 1.0], most)
    assert np.allclose(found.vector, 1.0, atol=1e-3), (found.vector, found.steps, found.done)


def test_levenberg_marquardt_solves_least_squares_in_one_step() -> None:
    problem = Linear()
    method = LevenbergMarquardt(Damping(first=1e-14))
    found = method.step(problem, method.start(np.zeros(6)))
    assert np.allclose(found.vector, problem.answer, rtol=0, atol=1e-12)
    assert found.loss == pytest.approx(problem.loss(problem.answer), rel=1e-12)


def test_levenberg_marquardt_takes_the_step_of_its_formula() -> None:
    problem, start, mu, decay = Rosenbrock(), np.array([-1.2, 1.0]), 0.7, 0.3
    errors, jacobian = problem.errors_and_jacobian(start)
    matrix = jacobian.T @ jacobian + (mu + decay) * np.eye(2)
    expected = start - np.linalg.solve(matrix, jacobian.T @ errors + decay * start)
    method = LevenbergMarquardt(Damping(first=mu), decay=decay)
    found = method.step(problem, method.start(start))
    assert np.allclose(found.vector, expected, rtol=1e-13)
    assert float(found.memory["mu"]) == pytest.approx(0.07)


def test_levenberg_marquardt_says_where_it_is_stuck() -> None:
    problem = Linear()
    method = LevenbergMarquardt()
    found = iterated(method, problem, problem.answer, 3)
    assert found.done
    assert np.allclose(found.vector, problem.answer, atol=1e-12)


def test_levenberg_marquardt_without_any_curvature() -> None:
    problem = Linear()
    problem.design[:, 2] = 0.0
    found = iterated(LevenbergMarquardt(Damping(first=0.0)), problem, np.ones(6), 5)
    assert found.vector[2] == pytest.approx(1.0)
    assert np.isfinite(found.loss)


@pytest.mark.parametrize(
    ("directions", "scipy_name"), [(LimitedMemory(), "L-BFGS-B"), (PolakRibiere(), "CG")]
)
@pytest.mark.parametrize("seed", range(3))
def test_line_searches_against_scipy(directions: Any, scipy_name: str, seed: int) -> None:
    """The same minimum as SciPy's own loop, in no more than twice as many steps."""
    start = np.random.default_rng(seed).uniform(-1.5, 1.5, 8)
    theirs = scipy.optimize.minimize(
        scipy.optimize.rosen,
        start,
        jac=scipy.optimize.rosen_der,
        method=scipy_name,
        options={"maxiter": 2000} | ({"gtol": 1e-7} if scipy_name == "CG" else {"ftol": 1e-15}),
    )

    class Chain:
        def evaluate(self, x: Any) -> Evaluation:
            return Evaluation(scipy.optimize.rosen(x), scipy.optimize.rosen_der(x))

    ours = iterated(LineSearch(directions, flat=1e-7), Chain(), start, 2000)
    assert ours.loss <= theirs.fun + 1e-10
    assert np.allclose(ours.vector, theirs.x, atol=1e-4)
    assert ours.steps <= 2 * theirs.nit + 10


@pytest.mark.parametrize("method", [LineSearch(PolakRibiere(0.01)), HessianFree(1e-8, 200, 1e-12)])
def test_conjugate_gradients_end_on_a_quadratic(method: Any) -> None:
    """As many steps as there are parameters, if searches are exact; few more if nearly so."""
    problem = Linear()
    found = iterated(method, problem, np.zeros(6), 40)
    assert np.allclose(found.vector, problem.answer, atol=1e-6)
    assert found.steps <= 30


# Bayesian regularisation.


def test_the_evidence_of_a_linear_model_is_that_of_its_gaussian() -> None:
    """ln p(D): the targets are normal, of covariance 1/(2b) + X X'/(2a)."""
    problem = Linear(rows=12, columns=4)
    for alpha, beta in ((0.3, 2.0), (5.0, 40.0), (0.01, 0.5)):
        covariance = np.eye(12) / (2 * beta) + problem.design @ problem.design.T / (2 * alpha)
        exact = scipy.stats.multivariate_normal(np.zeros(12), covariance).logpdf(problem.target)
        hessian = beta * problem.design.T @ problem.design + alpha * np.eye(4)
        vector = np.linalg.solve(hessian, beta * problem.design.T @ problem.target)
        ours = log_evidence(Normal.at(problem, vector), vector, alpha, beta)
        assert ours == pytest.approx(float(exact), rel=1e-10)


def test_bayesian_regularisation_of_a_linear_model_ends_where_the_evidence_is_largest() -> None:
    problem = Linear(rows=40, columns=8, noise=0.5)
    found = iterated(BayesianRegularisation(), problem, np.full(8, 0.1), 200)
    alpha, beta = found.report["alpha"], found.report["beta"]

    def negative(logs: Any) -> float:
        a, b = np.exp(logs)
        covariance = np.eye(40) / (2 * b) + problem.design @ problem.design.T / (2 * a)
        return -float(
            scipy.stats.multivariate_normal(np.zeros(40), covariance).logpdf(problem.target)
        )

    best = scipy.optimize.minimize(negative, np.log([alpha, beta]), method="Nelder-Mead")
    assert np.allclose(np.exp(best.x), [alpha, beta], rtol=1e-3)
    assert found.report["evidence"] == pytest.approx(-best.fun, rel=1e-6)
    hessian = 2 * beta * problem.design.T @ problem.design + 2 * alpha * np.eye(8)
    gamma = 8 - 2 * alpha * np.trace(np.linalg.inv(hessian))
    assert found.report["gamma"] == pytest.approx(gamma, rel=1e-4)
    ridge = np.linalg.solve(hessian, 2 * beta * problem.design.T @ problem.target)
    assert np.allclose(found.vector, ridge, atol=1e-5)


def test_effective_parameters_are_those_of_the_formula() -> None:
    problem = Linear(rows=9, columns=5)
    normal = Normal.at(problem, np.zeros(5))
    hessian = 2 * 3.0 * problem.design.T @ problem.design + 2 * 0.7 * np.eye(5)
    expected = 5 - 2 * 0.7 * np.trace(np.linalg.inv(hessian))
    assert effective_parameters(normal, 0.7, 3.0) == pytest.approx(expected, rel=1e-12)


# First-order rules against their formulas, clipping, schedules.


def test_adam_against_its_algorithm() -> None:
    rng = np.random.default_rng(0)
    w = vector = rng.standard_normal(4)
    rule = Adam(decay=0.1)
    memory = rule.memory(vector)
    m = v = np.zeros(4)
    for k in range(1, 6):
        g = rng.standard_normal(4)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        step = (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
        w = w - 0.01 * step - 0.01 * 0.1 * w
        vector, memory = rule.update(memory, vector, g, 0.01, k)
    assert np.allclose(vector, w, rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "torch_name", "extra"),
    [
        (Adam(), "Adam", {}),
        (Adam(decay=0.05), "AdamW", {"weight_decay": 0.05}),
        (Adagrad(epsilon=1e-10), "Adagrad", {}),
        (RMSprop(average=0.99), "RMSprop", {}),
        (GradientDescent(), "SGD", {}),
        (GradientDescent(0.9), "SGD", {"momentum": 0.9}),
        (GradientDescent(0.9, nesterov=True), "SGD", {"momentum": 0.9, "nesterov": True}),
    ],
    ids=["adam", "adamw", "adagrad", "rmsprop", "gd", "momentum", "nesterov"],
)
def test_rules_against_pytorch(rule: Rule, torch_name: str, extra: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    vector = rng.standard_normal(5)
    theirs = torch.tensor(vector, requires_grad=True)
    optimiser = getattr(torch.optim, torch_name)([theirs], lr=0.02, **extra)
    memory = rule.memory(vector)
    for k in range(1, 8):
        gradient = rng.standard_normal(5)
        theirs.grad = torch.tensor(gradient)
        optimiser.step()
        vector, memory = rule.update(memory, vector, gradient, 0.02, k)
        assert np.allclose(vector, theirs.detach().numpy(), rtol=1e-9, atol=1e-12), k


def test_float32_stays_float32() -> None:
    class Bowl:
        def evaluate(self, x: Any) -> Evaluation:
            return Evaluation(float(x @ x), 2 * x)

        def loss(self, x: Any) -> float:
            return float(x @ x)

        def gauss_newton(self, x: Any, direction: Any) -> Any:
            return 2 * direction

    start = np.ones(3, np.float32)
    rules = (Adam(decay=0.1), Adagrad(), RMSprop(), GradientDescent(0.9, nesterov=True))
    methods = [Descent(r, 0.01, Cosine(9), clip_norm=0.1, clip_value=0.5) for r in rules]
    for method in (
        *methods,
        LineSearch(LimitedMemory()),
        LineSearch(PolakRibiere()),
        HessianFree(),
    ):
        state = method.start(start)
        for _ in range(3):
            state = method.step(Bowl(), state)
        assert state.vector.dtype == np.float32, method
    with pytest.raises(UserError, match="float64"):
        LevenbergMarquardt().start(start)


def test_clipping() -> None:
    gradient = np.array([3.0, -4.0])
    assert np.allclose(clipped(gradient, 1.0, None), [0.6, -0.8])
    assert np.allclose(clipped(gradient, None, 2.0), [2.0, -2.0])
    assert np.allclose(clipped(gradient, 1.0, 3.0), np.array([3.0, -3.0]) / np.sqrt(18))
    assert np.array_equal(clipped(gradient, 10.0, 10.0), gradient)
    huge = clipped(np.array([1e200, 1e200]), 1.0, None)
    assert np.allclose(huge, np.sqrt(0.5))


def test_schedules() -> None:
    assert [Constant().factor(k) for k in (0, 9)] == [1.0, 1.0]
    assert Exponential(0.1, 100).factor(100) == pytest.approx(0.1)
    assert Exponential(0.1, 100).factor(50) == pytest.approx(0.1**0.5)
    assert [Stepwise(0.5, 10).factor(k) for k in (0, 9, 10, 25)] == [1, 1, 0.5, 0.25]
    assert [Cosine(10, 0.2).factor(k) for k in (0, 5, 10, 99)] == pytest.approx([1, 0.6, 0.2, 0.2])
    warm = WarmUp(4, Stepwise(0.5, 2))
    assert [warm.factor(k) for k in range(7)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 0.5])


@pytest.mark.parametrize(
    "make", [lambda: Descent(Adam(), 0.1), LineSearch, LevenbergMarquardt, HessianFree]
)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_said(make: Callable[[], Any], bad: float) -> None:
    problem = Linear()
    problem.target[3] = bad
    method = make()
    with pytest.raises(NotFiniteError):
        method.step(problem, method.start(np.zeros(6)))


LINEAR = """
name = "regression"
[inputs]
x = {width}
[layers.y]
size = 1
activation = "linear"
bias = false
from = {{ x = [0] }}
[loss]
y = "mse"
"""


@pytest.mark.parametrize("seed", range(12))
def test_bayesian_regularisation_ends_at_its_fixed_point(seed: int) -> None:
    """Linear regression, where all is known in closed form: w, a, b and gamma belong together."""
    rng = np.random.default_rng(seed)
    width = int(rng.integers(2, 21))
    count = width + int(rng.integers(3, 60))
    x = rng.normal(size=(count, width))
    w = rng.normal(size=width) * np.where(np.arange(width) < 4, 1, 0.05)
    y = x @ w + rng.uniform(0.2, 2) * rng.normal(size=count)
    options = Options(method="bayes", epochs=500, seed=1, split=(1.0, 0.0, 0.0), normalise="none")
    found = fit(LINEAR.format(width=width), {"x": x, "y": y[:, None]}, options)
    report = found.progress.state.report
    alpha, beta = report["alpha"], report["beta"]
    values, vectors = np.linalg.eigh(x.T @ x)
    least = vectors @ (beta * (vectors.T @ (x.T @ y)) / (beta * values + alpha))
    gamma = float(np.sum(beta * values / (beta * values + alpha)))
    (weights,) = (a.ravel() for a in found.model.parameters.values())
    assert np.allclose(weights, least, rtol=1e-4, atol=1e-5)
    assert report["gamma"] == pytest.approx(gamma, rel=1e-4)
    assert alpha == pytest.approx(gamma / (2 * least @ least), rel=1e-3)
    errors = y - x @ least
    assert beta == pytest.approx((count - gamma) / (2 * errors @ errors), rel=1e-3)
