"""The audit: verdicts on the catalogue and on restatements, repairs, both judges."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.mutants import examine
from bptt.derive import adjoint
from bptt.derive.audit import proof
from bptt.derive.audit.audit import Court
from bptt.derive.audit.claim import Claim
from bptt.derive.audit.claims_file import load_claims, read_claims
from bptt.derive.audit.judge import Judge
from bptt.derive.audit.proof import proves
from bptt.derive.audit.readings import readings
from bptt.derive.audit.setting import draw, instances
from bptt.derive.audit.truth import Truth
from bptt.derive.calculus.system import System
from bptt.derive.errors import InternalError
from bptt.derive.interpreter import interpret
from bptt.derive.language.syntax import Node
from bptt.derive.notation.plain import node_text
from tests.claims import ELMAN, audited, catalogue_claims, claims_of, elman

CATALOGUE = catalogue_claims()


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_catalogue_has_its_verdicts_and_corrections(name: str) -> None:
    """Every verdict is as expected; what mends a wrong claim equals the known correction."""
    court = Court()
    for claim in load_claims(CATALOGUE[name]):
        result = court.audit(claim)
        assert result.status == claim.expected, f"{claim.name}: {result.error}"
        if claim.expected != "fails":
            continue
        assert result.repair is not None, claim.name
        if claim.correction:
            _same_right_side(claim, result.repair.sides)


def _same_right_side(claim: Claim, mended: tuple[Node, ...]) -> None:
    """The repair's right side has the value of the known correction, at other instances."""
    judge = Judge(claim.context, instances(claim.context.setting, seed=50))
    correct = readings(replace(claim, sides=claim.correction))[0].sides
    outcome = judge.compare((mended[0], mended[-1], correct[-1]), claim.where)
    assert outcome.holds, f"{claim.name}: {node_text(mended[-1])}"


# Right, in many notations: none may be called wrong.
RESTATED = [
    ("total(L, h[t]) = W.T @ delta[t+1] + V.T @ total(L, o[t])", "t < T"),
    ("total(L, h[t]) = V.T @ total(L, o[t]) + W.T @ delta[t+1]", ""),
    ("total(L, h[s]) = W.T @ delta[s+1] + 2 * V.T @ (o[s] - y[s])", "s < T"),
    ("total(L,h[t,i]) = sum_j W[j,i]*delta[t+1,j] + sum_k V[k,i]*total(L,o[t,k])", "t < T"),
    ("total(L, h[t]).T = delta[t+1].T @ W + total(L, o[t]).T @ V", "t < T"),
    ("delta[t] = (1 - h[t])*(1 + h[t])*total(L, h[t])", ""),
    ("delta[t] = total(L, h[t]) - h[t]*h[t]*total(L, h[t])", ""),
    ("delta[t] = tanh'(a[t]) * total(L, h[t])", ""),
    ("delta[t] = diag(1 - tanh(a[t])^2) @ total(L, h[t])", ""),
    ("total(L, W) = sum_t outer(delta[t], h[t-1])", ""),
    ("total(L, W).T = sum_t h[t-1] @ delta[t].T", ""),
    ("total(L, W[i,j]) = sum_t delta[t,i]*h[t-1,j]", ""),
    ("total(L, vec(W)) = sum_t kron(h[t-1], delta[t])", ""),
    ("total(L, b) = sum_t explicit(h[t], b).T @ total(L, h[t])", ""),
    ("total(L, W) = sum_t delta[t+1] @ h[t].T [0 <= t, t <= T-1]", ""),
    ("total(h[t], h[t-1]) = diag(1 - h[t]^2) @ W", "t > 1"),
    ("total(h[t], h[s]) = falling_r total(h[r], h[r-1]) [s < r, r <= t]", "s <= t"),
    ("total(L, h[t]) = sum_s total(o[s], h[t]).T @ total(L, o[s]) [t <= s]", ""),
    (r"\nabla_{h_t} L = W^\top \delta_{t+1} + V^\top \nabla_{o_t} L", "t < T"),
    (r"\frac{dL}{dh(t)} = \mathbf{W}^T \delta(t+1) + 2 V^{\top} (o(t) - y(t))", "t < T"),
    (
        r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \frac{\partial L}{\partial a^{\langle t"
        r" \rangle}} \left(h^{\langle t-1 \rangle}\right)^T",
        "",
    ),
    (r"\delta_{t} = \frac{\partial L}{\partial h_t} \odot (1 - h_t^2)", ""),
    (
        r"\delta_{t,i} = (1 - h_{t,i}^2) \sum_k W_{ki} \delta_{t+1,k} + (1 - h_{t,i}^2) \sum_k"
        r" V_{ki} \frac{\partial L}{\partial o_{t,k}}",
        "t < T",
    ),
    (
        r"\delta_t = \begin{cases} (1-h_t^2) \odot (W^\top \delta_{t+1} + 2 V^\top (o_t - y_t))"
        r" & t < T \\ (1-h_t^2) \odot 2 V^\top (o_t - y_t) & \text{otherwise} \end{cases}",
        "",
    ),
]


@pytest.mark.parametrize(("claim", "where"), RESTATED)
def test_what_is_right_holds_in_any_notation(claim: str, where: str) -> None:
    head = 'derivatives = "total"' if r"\frac" in claim else ""
    result = audited(elman(claim, where, head=head))
    assert result.status == "holds", result


def test_rows_and_layouts() -> None:
    rows = elman(
        "total(L, h[t]) = delta[t+1] @ W + total(L, o[t]) @ V", "t < T", head='vectors = "rows"'
    )
    assert audited(rows).status == "holds"
    claim = r"\frac{\partial o_t}{\partial h_t} = V"
    assert audited(elman(claim)).status == "holds", "the other layout does not conform"
    square = r"\frac{\partial a_t}{\partial h_{t-1}} = W"
    assert audited(elman(square)).status == "ambiguous"
    assert audited(elman(square, head='layout = "jacobian"')).status == "holds"
    assert audited(elman(claim, head='layout = "denominator"'), mend=False).status == "fails"
    gradient = elman("total(L, o[t]) = 2*(o[t] - y[t]).T", head='layout = "numerator"')
    assert audited(gradient).status == "holds"


# One slip each, the repair that must be found first.
SLIPS = [
    ("total(L, h[t]) = W.T @ delta[t] + V.T @ total(L, o[t])", "t < T", "delta[t+1]"),
    ("total(L, h[t]) = W @ delta[t+1] + V.T @ total(L, o[t])", "t < T", "W.T @"),
    ("total(h[t], h[t-1]) = diag(1 - h[t]^2) @ W.T", "t > 1", ") @ W"),
    ("total(L, h[t]) = U.T @ delta[t+1] + V.T @ total(L, o[t])", "t < T", "W.T @"),
    ("total(L, h[t]) = W.T @ delta[t+1] - V.T @ total(L, o[t])", "t < T", "+ V.T"),
    ("total(L, h[t]) = V.T @ total(L, o[t])", "t < T", "+ W.T @ delta[t+1]"),
    ("delta[t] = (1 - a[t]^2) * total(L, h[t])", "", "h[t]^2"),
    ("delta[t] = total(L, h[t])", "", "1 - h[t]^2"),
    ("total(L, W) = sum_t delta[t] @ h[t].T", "", "h[t-1].T"),
    ("total(L, W) = sum_t h[t-1] @ delta[t].T", "", "delta[t] @ h[t-1].T"),
    ("total(L, o[t]) = o[t] - y[t]", "", "2"),
    ("total(L, b) = sum_t total(L, h[t])", "", "total(L, a[t])"),
    ("total(h[t],h[k]) = falling_i diag(1 - h[i]^2) @ W [k <= i, i <= t]", "k < t", "k+1 <= i"),
    ("total(h[t],h[k]) = rising_i diag(1 - h[i]^2) @ W [k < i, i <= t]", "k < t", "falling"),
]


@pytest.mark.parametrize(("claim", "where", "mended"), SLIPS)
def test_a_slip_is_found_and_mended(claim: str, where: str, mended: str) -> None:
    result = audited(elman(claim, where))
    assert result.status == "fails"
    assert result.repair is not None
    assert not result.repair.is_derived
    text = " = ".join(map(node_text, result.repair.sides))
    assert mended in text
    assert ".T.T" not in text
    assert result.gap is not None or result.finding.outcome.shapes


def test_a_counterexample_is_the_smallest() -> None:
    """A shift is seen at two steps and one unit, a transpose needs two units."""
    result = audited(elman("total(L, W) = sum_t delta[t] @ h[t].T"), mend=False)
    example = result.finding.outcome.counterexample
    assert example is not None
    assert set(example.sizes.values()) == {1}
    result = audited(elman("total(L, h[t]) = W @ delta[t+1] + V.T @ total(L, o[t])"), mend=False)
    example = result.finding.outcome.counterexample
    assert example is not None
    assert min(example.sizes.values()) >= 2


def test_shapes_are_said() -> None:
    result = audited(
        elman("total(L, h[t]) = W.T @ delta[t+1] @ diag(1 - h[t]^2) + V.T @ total(L, o[t])"),
        mend=False,
    )
    assert "does not conform" in result.finding.outcome.shapes
    assert "W.T @ delta[t+1] is " in result.finding.outcome.shapes


def test_no_formula_leans_on_what_lies_outside_the_steps() -> None:
    """At the last step h[T+1] is no number that a formula could know."""
    result = audited(
        elman("total(L, h[t]) = V.T @ total(L, o[t]) + 0.1*h[t+1] - 0.1*h[t+1]"), mend=False
    )
    assert result.status == "fails"
    claim = elman("h[t+1] = tanh(b + W @ h[t] + U @ x[t+1])")
    assert audited(claim, mend=False).status == "fails"
    claim = elman("h[t+1] = tanh(b + W @ h[t] + U @ x[t+1])", "t < T")
    assert audited(claim).status == "holds"


# False, and easily taken for true: by clipped steps, numbers shared outside the steps, sizes that
# are equal, or a floor under small numbers.
FALSE = [
    "h[t-10] = h[t-20]",
    "x[t+9] = x[t+12]",
    "o[T+1] = y[T+1]",
    "o[0] = y[0]",
    "total(L, c) = sum_t 2*(o[t] - y[t]) [1 <= t, t <= T+1]",
    "total(L, V) = sum_t 2*(o[t] - y[t]) @ h[t].T [0 <= t, t <= T]",
    r"\frac{dL}{dV} = \sum_{t=-2}^{T+3} 2 (o_t-y_t) h_t^\top",
    "1e-12*sum(b) = 0",
    "sum(b) = sum(b) + 1e-9",
    "(T-1)*(T-2)*(T-3)*(T-4) = 0",
    "n = m",
]


@pytest.mark.parametrize("claim", FALSE)
def test_what_is_false_fails(claim: str) -> None:
    result = audited(elman(claim), mend=False)
    assert result.status == "fails", result.error
    assert not result.finding.proved


def test_a_repair_does_not_lean_on_what_lies_outside_the_steps() -> None:
    result = audited(elman("total(L, c) = sum_t 2*(o[t] - y[t]) [1 <= t, t <= T-1]"))
    assert result.repair is not None
    assert "t <= T]" in node_text(result.repair.sides[-1])


def test_any_two_sizes_differ_somewhere() -> None:
    names = [f"a{n}" for n in range(9)]
    inputs = "".join(f'x{n} = "{name}"\n' for n, name in enumerate(names))
    equations = "\n".join(f"s{n}[t] = sum(x{n}[t])" for n in range(9))
    text = f"[network]\nequations = '''\n{equations}\n'''\n[network.inputs]\n{inputs}"
    (one,) = claims_of(f'{text}[[claims]]\ntext = "a0 = a4"\n')
    drawn = instances(one.context.setting)
    for first, second in itertools.combinations(names, 2):
        assert any(i.sizes[first] != i.sizes[second] for i in drawn), (first, second)
    assert audited(one, mend=False).status == "fails"


def test_a_size_takes_many_values() -> None:
    """What holds for two units alone is not true."""
    text = "[network]\nequations = 's[t] = sum(x[t])'\n[network.inputs]\nx = 'n'\n"
    (one,) = claims_of(f'{text}[[claims]]\ntext = "(n-1)*(n-2) = 0"\n')
    assert {i.sizes["n"] for i in instances(one.context.setting)} == {1, 2, 3, 4, 5}
    assert audited(one, mend=False).status == "fails"


def test_initial_values_can_be_zero() -> None:
    """As in books that have no values before the first step."""
    claim = "total(L, W) = sum_t delta[t] @ h[t-1].T [2 <= t, t <= T]"
    assert audited(elman(claim), mend=False).status == "fails"
    assert audited(elman(claim, more="[draw]\nh = 'zero'")).status == "holds"


# The judges.


def test_the_truth_agrees_with_the_derivation_and_knows_nothing_of_it() -> None:
    """Complex steps through the interpreter, and adjoints: two ways to one number."""
    setting = elman("h[t] = h[t]").context.setting
    instance = draw(setting, {"m": 2, "k": 3, "n": 4}, 4, 1)
    truth = Truth(instance)
    derived = adjoint(instance.system, "L")
    values = interpret(derived, instance.arrays, steps=4, batch=1, initial=instance.initial)
    pad = instance.pad
    for name in ("h", "a", "o", "W", "U", "b", "V"):
        found = truth.total("L", name)
        if derived.quantities[name].time_axis is not None:
            found = found[pad : pad + 4]
        assert np.allclose(found, values[derived.derivative("L", name)], rtol=1e-12, atol=1e-13), (
            name
        )


RIGHT = ("total(L, h[t]) = W.T @ delta[t+1] + V.T @ total(L, o[t])", "t < T")


def _corrupted(system: System, change: str) -> System:
    """A derived system with a term of the adjoint of h dropped, or its step left unshifted."""
    equations = []
    for equation in system.equations:
        if equation.quantity.name == system.derivative("L", "h"):
            terms = equation.terms
            recurrent = next(t for t in terms if t.bounds)
            if change == "dropped":
                terms = tuple(t for t in terms if t is not recurrent)
            else:
                t = equation.indices[0].symbol
                moved = replace(recurrent, factor=recurrent.factor.xreplace({t + 1: t}))
                terms = tuple(moved if x is recurrent else x for x in terms)
            assert terms != equation.terms
            equation = replace(equation, terms=terms)
        equations.append(equation)
    return replace(system, equations=tuple(equations))


@pytest.mark.parametrize("change", ["dropped", "unshifted"])
def test_a_corrupted_derivation_is_refused_by_the_numeric_judge(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the corrupted derivation proves, the instances deny; the truth stays what it is."""
    wrong = {
        "dropped": "total(L, h[t]) = V.T @ total(L, o[t])",
        "unshifted": "total(L, h[t]) = W.T @ delta[t] + V.T @ total(L, o[t])",
    }[change]
    right = elman(*RIGHT)
    assert audited(right).finding.proved
    monkeypatch.setattr(proof, "adjoint", lambda s, of: _corrupted(adjoint(s, of), change))
    assert not audited(right).finding.proved
    assert audited(right).status == "holds"
    claim = elman(wrong, "t < T")
    system = Court().judge_of(claim.context).system
    assert proves(claim.context, claim.sides, claim.where, system), "the corruption had no effect"
    with pytest.raises(InternalError, match="is proved, and fails"):
        audited(claim)


@pytest.mark.parametrize("name", ["karpathy", "softmax", "bayes", "rtrl"])
def test_mutants_are_flagged_and_mended(name: str) -> None:
    """Every slip at every place: those that differ are seen, the others not."""
    count = examine(CATALOGUE[name], repairs=2, seed=1)
    assert count.different + count.equal > 10
    assert count.flagged == count.different, count.missed
    assert count.passed == count.equal, count.missed
    assert count.right >= 0.8 * count.repaired, count.missed


def test_ambiguity_is_asked_about() -> None:
    claim = (
        r"\frac{\partial L}{\partial b} = \sum_t \left(\frac{\partial h_t}{\partial b}"
        r"\right)^\top \frac{\partial L}{\partial h_t}"
    )
    result = audited(elman(claim, head='layout = "jacobian"'))
    assert result.status == "ambiguous"
    assert result.verdict is not None
    held = {frozenset(f.reading.choices) for f in result.verdict.findings if f.outcome.holds}
    assert held == {
        frozenset(("∂h/∂b is explicit", "∂L/∂h is total")),
        frozenset(("∂h/∂b is total", "∂L/∂h is explicit")),
    }


def test_derivatives_of_what_the_source_defines() -> None:
    """By a complex step; by differences, where the definition has derivatives itself."""
    (cube,) = claims_of(ELMAN + '"Q" = "sum(c*c*c)"\n[[claims]]\ntext = "total(Q, c) = 3*c*c"\n')
    assert audited(cube).status == "holds"
    curved = "total(S, c) = 4*T*total(L, c)"
    (nested,) = claims_of(
        ELMAN + f'"S" = "sum(total(L, c) * total(L, c))"\n[[claims]]\ntext = "{curved}"\n'
    )
    assert audited(nested).status == "holds"


def test_audits_are_the_same_every_time() -> None:
    claims = load_claims(CATALOGUE["two_layers"])
    first, second = ([Court().audit(c) for c in claims] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.repair == other.repair
        assert repr(one.finding.outcome) == repr(other.finding.outcome)


def test_the_catalogue_is_data_of_the_project() -> None:
    assert all(isinstance(path, Path) and path.exists() for path in CATALOGUE.values())
    assert len(CATALOGUE) >= 14


def test_claims_about_a_topology_file() -> None:
    """A network of layers with a batch, its sizes replaced by small ones."""
    folder = Path(__file__).parent.parent / "generated"
    text = """
network = "narx.toml"
[[claims]]
text = "total(loss, hidden[t]) = W_position_hidden.T @ total(loss, position[t])"
[[claims]]
text = "total(loss, b_hidden) = sum_t total(loss, n_hidden[t])"
[[claims]]
text = "total(loss, W_hidden_position_1) = sum_t total(loss, n_hidden[t]) @ position[t-2].T"
"""
    found = [audited(claim) for claim in read_claims(tomllib.loads(text), folder)]
    assert [a.status for a in found] == ["holds", "holds", "fails"]
    assert found[2].repair is not None
    assert "position[t-1]" in node_text(found[2].repair.sides[1])


def test_a_condition_that_was_forgotten_is_said() -> None:
    result = audited(elman("total(h[t], h[k]) = falling_i diag(1 - h[i]^2) @ W [k < i, i <= t]"))
    assert result.status == "fails"
    assert result.condition is not None
    assert node_text(result.condition) == "k <= t"


def test_norms() -> None:
    assert audited(elman(r"L = \sum_t \|o_t - y_t\|_2^2")).status == "holds"
    assert audited(elman(r"L = \sum_t \lVert o_t - y_t \rVert^2")).status == "holds"
