"""Programs in a short printed form, one statement a line: what `bptt show --program` prints.

loop t forward over T
  n[t,b,i] += sum_j U[i,j]*h[t-1,b,j]    (3)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bptt.codegen.nodes import (
    ZERO,
    Affine,
    Call,
    Condition,
    Contract,
    Join,
    Node,
    Number,
    Place,
    Power,
    Product,
    Range,
    Read,
    Reduce,
    Size,
    Subscript,
    Sum,
    Where,
)
from bptt.codegen.program import Assign, Buffer, Function, Guard, Loop, Program, Statement
from bptt.derive.calculus.primitives import PRIMITIVES

COLUMN = 72


def program_text(program: Program) -> str:
    """A program: its functions, each with the buffers that it makes."""
    known = set[str]()
    lines: list[str] = []
    for function in program.functions:
        lines += ["", *_function(function, program, known)]
    return "\n".join(lines[1:]) + "\n"


def _function(function: Function, program: Program, known: set[str]) -> Iterator[str]:
    yield f"{function.name}({', '.join(function.takes)}) -> {', '.join(function.gives)}"
    known.update(function.takes)
    for name in dict.fromkeys(_written(function.body)):
        if name not in known:
            known.add(name)
            yield f"  {_buffer(program.buffers[name])}"
    yield from statement_lines(function.body)


def _written(body: Iterable[Statement]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, Assign):
            yield statement.target.name
        else:
            yield from _written(statement.body)


def _buffer(buffer: Buffer) -> str:
    lengths = ("B" if n is None else str(n) for n in buffer.lengths)
    text = f"{buffer.name}: [{', '.join(lengths)}]"
    if buffer.padded:
        text += f", {buffer.before} before step 0"
    if buffer.window is not None:
        text += f", the last {buffer.window + 1} steps" if buffer.window else ", one step"
    if buffer.alias is not None:
        text += f", in {buffer.alias.buffer} from {buffer.alias.start}"
    return text


def statement_lines(body: Iterable[Statement], depth: int = 1) -> Iterator[str]:
    """Statements, one a line, with the numbers of their equations."""
    indent = "  " * depth
    for statement in body:
        match statement:
            case Assign(numbers, target, operator, value, ranges):
                text = f"{indent}{node_text(target)} {operator} {node_text(value)}"
                held = "".join(f" [{t}]" for t in map(_limits, ranges) if t)
                said = " ".join(f"({number})" for number in numbers)
                yield f"{text + held:{COLUMN}} {said}"
            case Loop(step, length, direction, inner):
                yield f"{indent}loop {step} {direction} over {length}"
                yield from statement_lines(inner, depth + 1)
            case Guard(conditions, inner):
                yield f"{indent}if {', '.join(f'{c} >= 0' for c in conditions)}"
                yield from statement_lines(inner, depth + 1)


def _limits(span: Range) -> str:
    """Where an index runs, if that is not everywhere."""
    if span.is_full:
        return ""
    starts = ", ".join(str(s) for s in span.starts)
    stops = ", ".join(str(s - 1) for s in span.stops)
    return f"{span.name} = {starts} .. {stops}"


def node_text(node: Node, tight: bool = False) -> str:
    """A node as text; `tight` where it stands in a product."""
    match node:
        case Number(value):
            text = f"{value:g}" if isinstance(value, float) else str(value)
            return f"({text})" if tight and ("/" in text or "-" in text) else text
        case Size(name):
            return name
        case Place(index, offset):
            return f"({_subscript(Subscript(index, offset))})"
        case Read(name, subscripts):
            return f"{name}[{','.join(map(_subscript, subscripts))}]"
        case Sum(operands, signs):
            text = ""
            for operand, sign in zip(operands, signs, strict=True):
                piece = node_text(
                    operand, tight=sign < 0 or (bool(text) and isinstance(operand, Sum))
                )
                text += (" + " if sign > 0 else " - ") + piece if text else "-" * (sign < 0) + piece
            return f"({text})" if tight else text
        case Product(above, below):
            text = "*".join(node_text(n, tight=True) for n in above) or "1"
            for factor in below:
                text += f"/{node_text(factor, tight=True)}"
            return f"({text})" if tight and below else text
        case Power(base, exponent):
            return f"{node_text(base, tight=True)}^{node_text(Number(exponent), tight=True)}"
        case Call(function, arguments):
            return f"{PRIMITIVES[function].text}({', '.join(map(node_text, arguments))})"
        case Where(conditions, value, otherwise):
            text = f"{node_text(value, tight=True)} {_conditions(conditions)}"
            return f"({text}{f' else {otherwise}' if otherwise else ''})"
        case Contract(operands, over):
            text = f"sum_{','.join(over)} {node_text(Product(operands))}"
            return f"({text})" if tight else text
        case Reduce(reduction, value, over, conditions):
            held = f" {_conditions(conditions)}" if conditions else ""
            return f"{reduction.name}_{','.join(over)}({node_text(value)}{held})"
        case Join(parts, _, along):
            return f"join_{along}({', '.join(map(node_text, parts))})"
    raise AssertionError(node)


def _subscript(subscript: Subscript) -> str:
    if subscript.index is None:
        return str(subscript.offset).replace(" ", "")
    if subscript.offset == ZERO:
        return subscript.index
    text = str(Affine(0, ((subscript.index, 1),)) + subscript.offset)
    return text.replace(" ", "")


def _conditions(conditions: Iterable[Condition]) -> str:
    """[t - s >= 0]"""
    texts = (f"{Affine(0, condition.counts) + condition.offset} >= 0" for condition in conditions)
    return f"[{', '.join(texts)}]"
