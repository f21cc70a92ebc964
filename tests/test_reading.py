"""Equations as people read them: what is printed is read back, and says what was derived."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bptt.codegen.emit import module_source
from bptt.codegen.extras import extend
from bptt.derive import System, adjoint, build, load, loads
from bptt.derive.calculus.equality import same, terms_of
from bptt.derive.calculus.inline import compact, inlined
from bptt.derive.calculus.lddn import is_layered, layered
from bptt.derive.calculus.quantity import T
from bptt.derive.calculus.system import Equation, Term
from bptt.derive.errors import UserError
from bptt.derive.language.syntax import Reference
from bptt.derive.notation.explain import derivation, explain
from bptt.derive.notation.index import index_statement
from bptt.derive.notation.latex import aligned, latex
from bptt.derive.notation.matrix import has_matrix_form, matrix_statement
from bptt.derive.notation.notations import NOTATIONS, notation
from bptt.derive.notation.plain import formula_text, statement_text
from bptt.derive.notation.reader import read_equations
from tests.numeric import Example, load_module, relative
from tests.random_networks import draw, draw_equations

ROOT = Path(__file__).parent.parent
FOLDER, GOLDENS = ROOT / "generated", ROOT / "tests" / "goldens"
TOPOLOGIES = sorted(FOLDER.glob("*.toml"))
NAMES = [path.stem for path in TOPOLOGIES]
COUNT = int(os.environ.get("BPTT_NETWORKS", "300")) // 6
FIRST = int(os.environ.get("BPTT_FIRST_SEED", "0"))
SEEDS = range(FIRST, FIRST + COUNT)


@cache
def system_of(name: str) -> System:
    """A network of the shelf with its adjoint and all that its file asks for."""
    network = load(FOLDER / f"{name}.toml")
    return extend(adjoint(build(network)), network.extras).system


def is_read_back(system: System) -> None:
    for equation in system.equations:
        for statement in (
            index_statement(equation, system.quantities),
            matrix_statement(equation, system),
        ):
            for width in (60, 10_000):
                text = statement_text(statement, width)
            (found,) = read_equations(text, system)
            assert same(equation, found, system.sizes), f"({equation.number}) {text}"


# Round trip.


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_is_read_back(name: str) -> None:
    system = system_of(name)
    is_read_back(system)
    if is_layered(system):
        is_read_back(layered(system))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [draw, draw_equations], ids=["layers", "equations"])
def test_random_networks_are_read_back(kind: object, seed: int) -> None:
    assert callable(kind)
    system = adjoint(build(kind(seed)))
    is_read_back(system)
    if is_layered(system):
        is_read_back(layered(system))


@pytest.mark.parametrize("name", ["narx", "gru", "bahdanau", "delta_rule", "self_attention"])
def test_a_listing_as_a_whole_is_read_back(name: str) -> None:
    from bptt.derive.notation.listing import listing

    system = system_of(name)
    for chosen in ("index", "matrix"):
        text = listing(system.equations, system, notation=NOTATIONS[chosen])
        found = read_equations(text, system)
        assert all(same(a, b, system.sizes) for a, b in zip(system.equations, found, strict=True))


def spoiled(equation: Equation) -> list[Equation]:
    """Equations that differ from one in a single thing."""
    found = []
    step = next((i for i in equation.indices if i.kind == "time"), None)
    for number, term in enumerate(equation.terms):

        def put(new: Term, number: int = number) -> Equation:
            terms = [*equation.terms]
            terms[number] = new
            return replace(equation, terms=tuple(terms))

        found.append(put(replace(term, factor=-term.factor)))
        found.append(put(replace(term, factor=2 * term.factor)))
        rest = (*equation.terms[:number], *equation.terms[number + 1 :])
        found.append(replace(equation, terms=rest))
        if term.bounds:
            found.append(put(replace(term, bounds=term.bounds[1:])))
            found.append(put(replace(term, bounds=(term.bounds[0] - 1, *term.bounds[1:]))))
        if step is not None:
            for read in term.reads():
                if read.indices and read.indices[0].has(step.symbol):
                    moved = read.base[(read.indices[0] - 1, *read.indices[1:])]
                    found.append(put(replace(term, factor=term.factor.xreplace({read: moved}))))
        for read in term.reads():
            quantity = read.base.label.name
            if quantity.startswith("W_") and read.indices[0] != read.indices[1]:
                turned = read.base[read.indices[::-1]]
                found.append(put(replace(term, factor=term.factor.xreplace({read: turned}))))
    return found


@pytest.mark.parametrize("name", ["feedback", "lstm", "bahdanau"])
def test_equality_notices_every_difference(name: str) -> None:
    count = 0
    for equation in system_of(name).equations:
        for other in spoiled(equation):
            assert not same(equation, other, system_of(name).sizes)
            count += 1
    assert count > 200


def test_equality_does_not_mind_letters_and_order() -> None:
    system = system_of("elman")
    text = "n_hidden[t,b,i] = b_hidden[i] - sum_k (-1)*hidden[t-1,b,k]*W_hidden_hidden_1[i,k]"
    text += " + sum_l W_hidden_x[i,l]*x[t,b,l]"
    (found,) = read_equations(text, system)
    assert same(system.definitions["n_hidden"], found, system.sizes)
    assert terms_of(found, system.sizes)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sum_s x[s,b,0] [s <= T-3, s <= 0]", "sum_s x[s,b,0] [s <= T-3]"),
        ("sum_s x[s,b,0] [s >= T-3, s >= 2]", "sum_s x[s,b,0] [s >= T-3]"),
        ("sum_j (W_hidden_x[i,j]+1) [j <= 9]", "sum_j W_hidden_x[i,j] [j <= 9] + 10"),
        ("sum_j 2*W_hidden_x[i,j]^0 [j <= 1]", "2"),
    ],
)
def test_equality_does_not_take_limits_for_others(left: str, right: str) -> None:
    system = system_of("elman")
    (a,) = read_equations(f"n_hidden[t,b,i] = {left}", system)
    (b,) = read_equations(f"n_hidden[t,b,i] = {right}", system)
    assert not same(a, b, system.sizes)


def test_the_language_of_derived_equations_is_not_that_of_files() -> None:
    text = 'equations = """\ny[t,i] = sum_j W[i,j]*x[t,j]\n"""\n[inputs]\nx = 2\n[loss]\ny = "mse"'
    with pytest.raises(UserError, match="where it cannot"):
        loads(text) and build(loads(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_hidden[t,b,i] = nothing[i]", "there is no quantity"),
        ("n_hidden[t] = W_hidden_x @ hidden[t]", "a product of"),
        ("n_hidden[t] = W_hidden_x", "axes of units"),
        ("n_hidden[t,b] = b_hidden", "needs a letter for each axis"),
        ("n_hidden[t] = b_hidden [t <= x[t]]", "compares indices and lengths"),
        ("n_hidden[t] = b_hidden [t <= Q]", "neither an index nor a length"),
        ("n_hidden[t] = tanh(W_hidden_x @ x[t])", "within a function"),
        ("n_hidden[t] = frobnicate(b_hidden)", "is not known"),
        ("hidden[t,b,i] = n_hidden[t,b]", "3 axes, and 2 subscripts"),
        ("n_hidden[t,b,i] = sum_j 2*b_hidden[i]", "nothing says what the index 'j' runs over"),
        ("n_hidden[t] = W_hidden_x @ 2", "has no units"),
        ("n_hidden[t] = b_hidden*(sum_t hidden[t])", "in use already"),
        ("n_hidden[t] = b_hidden [t]", "axis of another kind"),
        ("n_hidden[t] = sum_i b_hidden[i]*b_hidden", "in use already"),
        ("n_hidden[t,b,i] = sum_j,j W_hidden_x[i,j]", "in use already"),
        ("n_hidden[t] = b_hidden/(b_hidden @ b_hidden)", "within a function"),
        ("n_hidden[t] = b_hidden/sum(b_hidden)", "within a function"),
        ("n_hidden[t,b,i] = b_hidden[i] - log(sum_j exp(b_hidden[j]))", "is subtracted"),
        ("n_hidden[t] = log(sum(exp(W_hidden_hidden_1 @ b_hidden)))", "within a function"),
        ("n_hidden[t] = b_hidden + log(sum(exp(b_hidden)))", "a sum of what is no sum"),
        ("n_hidden[t] = b_hidden*(max_s hidden[s])", "within a product"),
        ("n_hidden[t] = min(b_hidden, 5)", "something else than zero"),
        ("n_hidden[t] = b_hidden + x[t]", "stands beside one of"),
        ("n_hidden[t] = output[t]", "stands beside one of"),
        ("W_hidden_x = W_hidden_x.T", "stands beside one of"),
        ("n_hidden[t] = tanh(b_hidden, b_hidden)", "it takes 1"),
        ("n_hidden[t] = outer(b_hidden)", "it takes 2"),
        ("n_hidden[t] = 9^999999999999*b_hidden", "out of range"),
        ("n_hidden[t] = 1/0*b_hidden", "division by zero"),
        ("n_hidden[t] = log(0)*b_hidden", "not a finite real number"),
        ("n_hidden[i,b,t] = b_hidden[i]", "another kind"),
        ("n_hidden[t,b,i] = " + "sum_j " * 100 + "W_hidden_x[i,j]", "nested deeper"),
        ("n_hidden[t,b,i] = x[t" + "+T" * 100 + ",b,i]", "lengths stand in a subscript"),
        ("n_hidden[t] = b_hidden" + "[0]" * 500, "parts and transposes"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        read_equations(text, system_of("elman"))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (
            "(diag(b_hidden) + W_hidden_hidden_1) @ b_hidden",
            "b_hidden^2 + W_hidden_hidden_1 @ b_hidden",
        ),
        ("b_hidden*(sum_s hidden[s] [s <= T-2])", "sum_s b_hidden*hidden[s] [s <= T-2]"),
        ("diag(b_hidden)[0:8] @ b_hidden", "b_hidden^2"),
        (
            "b_hidden*(W_hidden_hidden_1 @ b_hidden + b_hidden)/2",
            "b_hidden^2/2 + 0.5*b_hidden*(W_hidden_hidden_1 @ b_hidden)",
        ),
    ],
)
def test_sums_are_multiplied_out(left: str, right: str) -> None:
    system = system_of("elman")
    (a,) = read_equations(f"n_hidden[t] = {left}", system)
    (b,) = read_equations(f"n_hidden[t] = {right}", system)
    assert same(a, b, system.sizes)


# Matrix notation.


def matrix_text(name: str, quantity: str) -> str:
    system = system_of(name)
    return statement_text(matrix_statement(system.definitions[quantity], system))


@pytest.mark.parametrize(
    ("name", "quantity", "text"),
    [
        ("elman", "n_hidden", "W_hidden_x @ x[t] + W_hidden_hidden_1 @ hidden[t-1] + b_hidden"),
        ("elman", "d_W_hidden_x", "sum_t,b outer(d_n_hidden[t], x[t])"),
        ("elman", "logsumexp_output", "log(sum(exp(n_output[t])))"),
        ("delta_rule", "S", "diag(sigmoid_D_x[t]) @ S[t-1] + outer(k[t], v[t])"),
        ("delta_rule", "d_beta", "k[t] @ (d_M[t] @ part_M[t])"),
        ("self_attention", "e2", "k1[s][2:4] @ q1[t][2:4]"),
        ("radial_basis", "q_basis", "sum_j (x[t,b,j] - C_basis[i,j])^2"),
    ],
)
def test_contractions_become_products(name: str, quantity: str, text: str) -> None:
    found = matrix_text(name, quantity).split(" = ", 1)[1]
    assert text in found


def test_most_equations_have_a_matrix_form() -> None:
    equations = [(e, system_of(n)) for n in NAMES for e in system_of(n).equations]
    ranks = [(e, s) for e, s in equations if len(e.quantity.features) <= 2]
    having = sum(has_matrix_form(e, s) for e, s in ranks)
    assert having / len(ranks) > 0.9


# Other forms of the same derivatives, by numbers.


def gradients(system: System, forward: System) -> tuple[dict[str, object], dict[str, object]]:
    module = load_module(module_source(adjoint(forward)))
    example = Example(module, seed=5, steps=4, batch=2)
    names = [q.name for q in forward.of_role("parameter")]
    values, known = example.interpreted(system), example.interpreted(adjoint(forward))
    return (
        {n: values[system.derivative("loss", n)] for n in names},
        {n: known[adjoint(forward).derivative("loss", n)] for n in names},
    )


LAYERED = [n for n in NAMES if is_layered(system_of(n))]


def test_layered_networks_are_recognised() -> None:
    assert {"elman", "jordan", "narx", "tdnn", "feedback", "two_in_two_out"} <= set(LAYERED)
    assert not {"lstm", "gru", "bahdanau", "self_attention", "stacked_bidirectional"} & set(LAYERED)
    with pytest.raises(UserError, match="not made of layers"):
        layered(system_of("lstm"))


@pytest.mark.parametrize("name", LAYERED)
def test_the_layered_form_has_the_same_gradients(name: str) -> None:
    forward = system_of(name).primal
    found, known = gradients(layered(forward), forward)
    for parameter, value in known.items():
        assert relative(found[parameter], value, floor=1e-3) < 1e-12, parameter


def test_random_layered_networks_have_the_same_gradients() -> None:
    count = 0
    for seed in range(FIRST, FIRST + 60):
        forward = build(draw(seed))
        if not is_layered(forward):
            continue
        count += 1
        found, known = gradients(layered(forward), forward)
        for parameter, value in known.items():
            assert relative(found[parameter], value, floor=1e-3) < 1e-11, (seed, parameter)
    assert count >= 3


@pytest.mark.parametrize("name", ["elman", "lstm", "bidirectional", "bahdanau", "peephole"])
def test_compact_equations_have_the_same_gradients(name: str) -> None:
    forward = build(load(FOLDER / f"{name}.toml"))
    short = compact(adjoint(forward))
    assert len(short.equations) < len(adjoint(forward).equations)
    found, known = gradients(short, forward)
    for parameter, value in known.items():
        assert relative(found[parameter], value, floor=1e-3) < 1e-12, parameter


def test_inlining_keeps_conditions_and_sums() -> None:
    system = system_of("elman")
    text = """
    n_hidden[t] = b_hidden [t >= 2] + W_hidden_x @ x[t-1]
    hidden[t] = W_hidden_hidden_1 @ n_hidden[t+1] [t <= T-2]
    """
    whole = replace(system, equations=read_equations(text, system))
    (found,) = inlined(whole, ["n_hidden"]).equations
    (wanted,) = read_equations(
        "hidden[t] = W_hidden_hidden_1 @ b_hidden [t >= 1, t <= T-2]"
        " + W_hidden_hidden_1 @ W_hidden_x @ x[t] [t <= T-2]",
        system,
    )
    assert same(found, wanted, system.sizes)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 12))
def test_random_compact_equations_have_the_same_gradients(seed: int) -> None:
    forward = build(draw(seed))
    found, known = gradients(compact(adjoint(forward)), forward)
    for parameter, value in known.items():
        assert relative(found[parameter], value, floor=1e-3) < 1e-11, (seed, parameter)


# Derivations step by step.


@pytest.mark.parametrize("name", NAMES)
def test_every_explanation_ends_in_the_derived_equation(name: str) -> None:
    system = adjoint(build(load(FOLDER / f"{name}.toml")))
    explained = 0
    whole = derivation(system)
    for quantity in system.primal.quantities:
        derived = system.definitions.get(system.derivative("loss", quantity))
        if derived is None:
            continue
        steps = explain(quantity, whole)
        assert [steps[0].rule, steps[1].rule] == ["forward equations", "chain rule"]
        last = steps[-1].formulas[-1]
        statement = index_statement(derived, system.quantities)
        assert formula_text(last.left, last.right) == statement_text(statement)
        assert last.number == derived.number
        assert adds_up(steps, derived, whole.wide)
        explained += 1
    assert explained > 3


def adds_up(steps: tuple[object, ...], derived: Equation, wide: System) -> bool:
    """Whether the contributions of the steps, read back from their text, add up to the end."""
    left = formula_text(steps[-1].formulas[-1].left, steps[-1].formulas[-1].right).split(" = ")[0]
    terms: list[Term] = []
    for step in steps:
        if step.rule == "contraction of the deltas":
            right = formula_text(step.formulas[-1].left, step.formulas[-1].right).split(" = ", 1)[1]
            (read,) = read_equations(f"{left} = {right}", wide)
            terms += read.terms
    seeds = []
    for formula in steps[-1].formulas[:-1]:
        seeds += read_equations(formula_text(formula.left, formula.right), wide)
    whole = replace(wide, equations=(*seeds, replace(read, terms=tuple(terms))))
    inner = inlined(whole, [e.quantity.name for e in seeds])
    return same(
        inner.equations[-1], replace(derived, quantity=inner.equations[-1].quantity), wide.sizes
    )


def test_the_shift_in_time_is_explained() -> None:
    system = adjoint(build(load(FOLDER / "narx.toml")))
    steps = explain("position", derivation(system))
    text = [formula_text(f.left, f.right) for step in steps for f in step.formulas]
    assert "t' = t + 2" in text
    assert any("δ(t'-2, t)" in line for line in text)
    assert any("shifts the step" in step.words for step in steps)
    with pytest.raises(UserError, match="no derivative of the loss by"):
        explain("target_position", derivation(system))


# LaTeX.


@pytest.mark.parametrize("name", ["elman", "feedback", "lstm", "bahdanau"])
@pytest.mark.parametrize("style", list(NOTATIONS))
def test_goldens(name: str, style: str) -> None:
    chosen = notation(style)
    system = chosen.prepared(adjoint(build(load(FOLDER / f"{name}.toml"))))
    typesetter = chosen.typesetter(system)
    found = aligned(
        typesetter.statement(chosen.statement(e, system), e.number) for e in system.equations
    )
    path = GOLDENS / f"{name}-{style}.tex"
    if os.environ.get("BPTT_GOLDENS"):
        path.write_text(found + "\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == found + "\n", "if this is meant, run: make goldens"


@pytest.mark.parametrize(
    ("name", "style", "reference", "code"),
    [
        ("narx", "index", "W_hidden_position_2", r"W^{\mathrm{hidden},\mathrm{position}}(2)"),
        ("narx", "matrix", "hidden", r"\mathbf{hidden}"),
        ("jordan", "hagan", "W_hidden_x", r"\mathbf{IW}^{\mathrm{hidden},x}(0)"),
        ("elman", "hagan", "W_output_hidden", r"\mathbf{LW}^{\mathrm{output},\mathrm{hidden}}(0)"),
        ("narx", "hagan", "position", r"\boldsymbol{a}^{\mathrm{position}}"),
        ("delta_rule", "index", "beta", r"\beta"),
        ("lstm", "index", "W_i_memory_x", r"W^{i,\mathrm{memory},x}"),
        ("lstm", "index", "d_initial_c_memory", r"\frac{\partial L}{\partial c^{\mathrm{memory}}}"),
    ],
)  # fmt: skip
def test_symbols(name: str, style: str, reference: str, code: str) -> None:
    system = system_of(name)
    found = NOTATIONS[style].typesetter(system).reference(Reference(reference, None, ""))
    assert latex(found) == code


def one_number(name: str) -> str:
    """The name, the same for what is derived in two ways: both modes of a Jacobian, RTRL."""
    return re.sub("^loss_by_", "d_", name.replace("_per_", "_by_"))


@pytest.mark.parametrize("name", NAMES)
def test_no_two_quantities_are_written_alike(name: str) -> None:
    for style in NOTATIONS.values():
        for system in (system_of(name), style.prepared(system_of(name))):
            typesetter = style.typesetter(system)
            seen: dict[str, str] = {}
            for equation in system.equations:
                target = style.statement(equation, system).target
                known = seen.setdefault(latex(typesetter.reference(target)), equation.quantity.name)
                assert one_number(known) == one_number(equation.quantity.name), style.name


@pytest.mark.parametrize("style", list(NOTATIONS))
def test_odd_names_are_told_apart(style: str) -> None:
    text = """
    [inputs]
    x = 2
    p_x = 2
    [layers.h]
    size = 2
    activation = "tanh"
    from = { x = [0], p_x = [1], h_2 = [1] }
    [layers.h_2]
    size = 2
    activation = "tanh"
    from = { h = [0, 2], L = [1] }
    [layers.L]
    size = 2
    activation = "linear"
    from = { h_2 = [0] }
    [loss]
    L = "mse"
    """
    system = adjoint(build(loads(text, default_name="odd")))
    typesetter = NOTATIONS[style].typesetter(system)
    names = system.primal.quantities
    found = [latex(typesetter.reference(Reference(name, None, ""))) for name in names]
    assert len(found) == len(set(found))


def test_weights_that_would_have_one_name_are_refused() -> None:
    text = """
    [inputs]
    x = 2
    x_1 = 2
    [layers.h]
    size = 3
    activation = "tanh"
    from = { x = [0, 1], x_1 = [0] }
    [loss]
    h = "mse"
    """
    with pytest.raises(UserError, match="W of layer h for x at 1 and W of layer h for x_1"):
        build(loads(text, default_name="two"))


def test_a_system_shows_itself_in_a_notebook() -> None:
    system = system_of("elman")
    text = system._repr_latex_()
    assert text.startswith("$$")
    assert text.count(r"\tag") == len(system.equations)
    assert r"\tanh" in system.restricted(["hidden"])._repr_latex_()


def test_length_of_time_stays_symbolic() -> None:
    system = adjoint(build(load(FOLDER / "narx.toml")))
    (found,) = read_equations("d_hidden[t] = d_hidden[t+1] [t <= T-2]", system)
    assert found.terms[0].bounds == (T - 2 - found.indices[0].symbol,)
    assert np.isfinite(float(T.subs({T: 3})))
