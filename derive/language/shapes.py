"""Shapes of the quantities in equations: what is declared, and what follows from its use.

A shape is a tuple of feature sizes (steps and sequences are understood). Inference walks each
equation with the shape that its left side expects, and repeats until nothing more follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import sympy as sp

from bptt.derive.calculus.primitives import ELEMENTWISE
from bptt.derive.errors import UserError
from bptt.derive.language import syntax

Shape = tuple[sp.Expr, ...]

# Where nothing follows any more: first, what a vector is multiplied with is a vector; then, a
# signal has the size of what it is added to or multiplied with. A signal on two axes of steps
# that multiplies something is a number that weights it, and has no other size unless declared.
GUESSES = 2

NO_LETTERS = ("b", "T", "B")

SLOPED = ("leaky_relu", "elu")  # below zero, they may have a slope of their own
SHORTHANDS = (
    *("linear", "gaussian", "square", "sqrt", *syntax.NORMALISING, *syntax.REDUCING),
    *("huber", "layernorm", "every", "concat", "outer", "diag", "eye"),
)
FUNCTIONS = (*ELEMENTWISE, *SHORTHANDS)


class Sizes:
    """The numbers of the size symbols, and which symbols turn out to mean the same size.

    A size is a symbol, a whole number, or a sum of such (of the same ones, a product).
    """

    def __init__(self, numbers: Mapping[sp.Symbol, int]) -> None:
        self.numbers = dict(numbers)
        self._meaning: dict[sp.Expr, sp.Expr] = {}
        self._rank: dict[sp.Expr, int] = {}

    def number(self, size: sp.Expr) -> int:
        if size.is_Integer:
            return int(size)
        if size.is_Symbol:
            return int(self.numbers[size])
        parts = map(self.number, size.args)
        return int(sum(parts) if size.is_Add else math.prod(parts))

    def resolve(self, size: sp.Expr) -> sp.Expr:
        """The symbol or sum of symbols that stands for this size everywhere."""
        while (found := self._meaning.get(size)) is not None:
            size = found
        return size.func(*map(self.resolve, size.args)) if size.args else size

    def same(self, left: sp.Expr, right: sp.Expr) -> bool:
        """Whether two sizes are equal; from then on they are one."""
        left, right = self.resolve(left), self.resolve(right)
        if left == right:
            return True
        if self.number(left) != self.number(right):
            return False
        # A sum of sizes says more than a symbol; of two symbols the one declared first stays.
        first, second = sorted((left, right), key=self._declared)
        if second.is_Symbol and not first.has(second):
            self._meaning[second] = first
        return True

    def _declared(self, size: sp.Expr) -> int:
        """The place of a symbol among the sizes declared; before all of them, what is none."""
        for symbol in list(self.numbers)[len(self._rank) :]:
            self._rank[symbol] = len(self._rank)
        return self._rank.get(size, -1)

    def describe(self, shape: Shape) -> str:
        """A shape in words: 'a scalar', 'size 4', '(4, 3)'."""
        numbers = [str(self.number(size)) for size in shape]
        if not numbers:
            return "a scalar"
        return f"size {numbers[0]}" if len(numbers) == 1 else f"({', '.join(numbers)})"


class Shapes:
    """The known shapes, by name; `infer` adds to them those that follow from the equations."""

    def __init__(
        self, known: dict[str, Shape], sizes: Sizes, steps: Mapping[str, int] | None = None
    ) -> None:
        self.known = known
        self._steps = steps or {}
        self.letters: dict[int, dict[str, sp.Expr]] = {}
        self._sizes = sizes
        self._changed = False
        self._signals: set[str] = set()
        self._guess = 0
        self._equation = ""
        # The shapes that are guessed, by name: the equation that suggests each.
        self.guessed: dict[str, str] = {}

    def infer(self, statements: Iterable[syntax.Statement]) -> None:
        """Infer what can be inferred; raise UserError where shapes contradict or stay unknown."""
        statements = tuple(statements)
        self._signals = {s.target.name for s in statements}
        self._guess = 0
        while self._guess <= GUESSES:
            self._changed = False
            for number, statement in enumerate(statements):
                self._equation = statement.target.name
                if syntax.uses_index_notation(statement):
                    self._index_statement(number, statement)
                else:
                    self._matrix_statement(statement)
            # What follows from a guess comes before the next guess.
            self._guess = 0 if self._changed else self._guess + 1
        for statement in statements:
            for reference in (statement.target, *syntax.references(statement.expression)):
                if reference.name not in self.known:
                    raise UserError(
                        f"the shape of {reference.name!r} does not follow from the equations",
                        place=reference.at,
                        remedy="declare it under [signals] or [parameters]",
                    )

    def number(self, size: sp.Expr) -> int:
        return self._sizes.number(size)

    @property
    def numbers(self) -> Mapping[sp.Symbol, int]:
        """The numbers of the size symbols."""
        return self._sizes.numbers

    def unit_subscripts(self, reference: syntax.Reference) -> tuple[syntax.Subscript, ...]:
        """The subscripts behind those of steps, which come first."""
        return (reference.subscripts or ())[self._steps.get(reference.name, 0) :]

    def resolve_letters(self) -> None:
        """Give every letter's size its final symbol, when all equations are inferred."""
        self.letters = {
            k: {name: self._sizes.resolve(size) for name, size in letters.items()}
            for k, letters in self.letters.items()
        }

    def _learn(self, name: str, shape: Shape) -> None:
        self.known[name] = shape
        self._changed = True

    def _suggest(self, name: str, shape: Shape, *, weight: bool = False) -> None:
        """Take a shape that the place of a mention suggests; of a signal, as a last guess."""
        if name in self._signals:
            if self._guess < GUESSES:
                return
            if shape and self._steps.get(name, 0) > 1:
                if not weight:
                    return
                shape = ()
        if self._guess:
            self.guessed[name] = self._equation
        self._learn(name, shape)

    # Matrix notation.

    def _matrix_statement(self, statement: syntax.Statement) -> None:
        name = statement.target.name
        expected = self.known.get(name)
        found = self.of(statement.expression, expected)
        if found is None:
            return
        if expected is None:
            self._learn(name, found)
        elif found and not self._fits(found, expected):
            raise UserError(
                f"{name!r} has {self._sizes.describe(expected)}, "
                f"and its right side {self._sizes.describe(found)}",
                place=statement.target.at,
                remedy="make both the same",
            )

    def of(self, node: syntax.Node, expected: Shape | None = None) -> Shape | None:
        """The shape of an expression, or None while it is not known."""
        match node:
            case syntax.Number():
                return ()
            case syntax.Reference(name):
                if syntax.is_index(node):
                    return ()
                taken = len(self.unit_subscripts(node))
                if name not in self.known and expected is not None and not taken:
                    self._suggest(name, expected)
                shape = self.known.get(name)
                if shape is not None and taken > len(shape):
                    raise UserError(
                        f"{name!r} has {len(shape)} axes of units", place=node.at, remedy="use them"
                    )
                return None if shape is None else shape[taken:]
            case syntax.Part():
                return self._part(node)
            case syntax.Negative(operand):
                return self.of(operand, expected)
            case syntax.Transpose(operand):
                inner = self.of(operand, expected[::-1] if expected is not None else None)
                return inner[::-1] if inner is not None else None
            case syntax.Binary("@", left, right):
                return self._matrix_product(node, left, right, expected)
            case syntax.Binary("**", base, _):
                return self.of(base, expected)
            case syntax.Binary(operator):
                chain = syntax.addends(node) if operator in "+-" else syntax.factors(node)
                nodes = [n for _, n in chain]
                return self._elementwise(node.at, nodes, expected, weights=operator not in "+-")
            case syntax.Call():
                return self._call(node, expected)
            case syntax.Comparison() | syntax.Sum() | syntax.Big() | syntax.Where():
                return ()

    def _part(self, node: syntax.Part) -> Shape | None:
        shape = self.of(node.operand)
        if shape is None:
            return None
        last = node.start + 1 if node.stop is None else node.stop
        if not shape or last > self.number(shape[0]):
            raise UserError(
                f"a part up to {last} of {self._sizes.describe(shape)}",
                place=node.at,
                remedy="stay within the size",
            )
        rest = shape[1:]
        return rest if node.stop is None else (sp.Integer(node.stop - node.start), *rest)

    def _elementwise(
        self, at: str, nodes: list[syntax.Node], expected: Shape | None, *, weights: bool
    ) -> Shape | None:
        if expected is None:
            expected = self._joint([s for s in map(self.of, nodes) if s])
        if weights and expected:
            for node in nodes:
                if not isinstance(node, syntax.Reference) or syntax.is_index(node):
                    continue
                if node.name not in self.known:
                    self._suggest(node.name, expected, weight=True)
        found = [self.of(n, expected) for n in nodes]
        vectors = [s for s in found if s]
        joint = self._joint(vectors)
        for shape in vectors:
            if joint is not None and not self._fits(shape, joint):
                raise UserError(
                    f"{self._sizes.describe(vectors[0])} and {self._sizes.describe(shape)} "
                    "do not fit together",
                    place=at,
                    remedy="the operands of + - * / need the same size",
                )
        return joint or (None if None in found else ())

    def _joint(self, shapes: list[Shape]) -> Shape | None:
        """The shape of an elementwise operation: the first, its axes of one unit broadcast."""
        if not shapes:
            return None
        alike = [s for s in shapes if len(s) == len(shapes[0])]
        return tuple(
            next((size for size in sizes if self.number(size) > 1), sizes[0])
            for sizes in zip(*alike, strict=True)
        )

    def _fits(self, shape: Shape, whole: Shape) -> bool:
        """Whether a shape is this one, but for axes of one unit, which are broadcast."""
        return len(shape) == len(whole) and all(
            self._sizes.same(a, b) or self.number(a) == 1 for a, b in zip(shape, whole, strict=True)
        )

    def _matrix_product(
        self, node: syntax.Binary, left: syntax.Node, right: syntax.Node, expected: Shape | None
    ) -> Shape | None:
        guess, self._guess = self._guess, 0
        a, b = self.of(left), self.of(right)
        self._guess = guess
        # The product's shape is a without its last size, then b without its first.
        may_guess = guess and not isinstance(left, syntax.Reference)
        if a is None and b and (expected is not None or may_guess):
            rows = expected or ()
            a = self.of(left, (*rows[: len(rows) - len(b) + 1], b[0]))
        if b is None and a and (expected is not None or len(a) > 1 or guess):
            b = self.of(right, (a[-1], *(expected or ())[len(a) - 1 :]))
        if a is None or b is None:
            return None
        if not a or not b:
            side = "left" if not a else "right"
            raise UserError(
                f"the {side} operand of @ is a scalar", place=node.at, remedy="multiply with *"
            )
        if not self._sizes.same(a[-1], b[0]):
            raise UserError(
                f"{_mention(left)} is {self._sizes.describe(a)} "
                f"and {_mention(right)} {self._sizes.describe(b)}",
                place=node.at,
                remedy="the last size on the left of @ must be the first on its right",
            )
        return (*a[:-1], *b[1:])

    def _call(self, node: syntax.Call, expected: Shape | None) -> Shape | None:
        if node.function == "every":
            return ()
        if node.function == "eye":
            size = sp.Integer(syntax.whole_number(node, 0, "eye(3)"))
            return (size, size)
        if node.function in SLOPED and len(node.arguments) == 2:
            return self._elementwise(node.at, list(node.arguments), expected, weights=False)
        if node.function in ("outer", "diag"):
            return self._product_call(node, expected)
        if node.function == "concat":
            parts = [self.of(a) for a in node.arguments]
            known = [p for p in parts if p is not None]
            if len(known) < len(parts):
                return None
            if any(len(p) != 1 for p in known):
                raise UserError(
                    "concat joins vectors", place=node.at, remedy="give it vectors only"
                )
            return (sp.Add(*(p[0] for p in known)),)
        if node.function in syntax.REDUCING and syntax.index_letter(node) is None:
            return () if self.of(node.arguments[0]) is not None else None
        return self.of(node.arguments[0], expected)

    def _product_call(self, node: syntax.Call, expected: Shape | None) -> Shape | None:
        """The shape of outer(a, b), and of diag(v)."""
        known = expected is not None and len(expected) == 2
        each = [(size,) for size in expected or ()] if known else [None, None]
        shapes = [self.of(a, e) for a, e in zip(node.arguments, each, strict=False)]
        if node.function == "diag":
            shapes = [shapes[0], shapes[0]]
        if len(shapes) != 2:
            raise UserError(
                "outer has one argument", place=node.at, remedy="write outer(a[t], b[t])"
            )
        found: Shape = ()
        for shape in shapes:
            if shape is None:
                return None
            if len(shape) != 1:
                raise UserError(
                    f"{node.function} of something that is not a vector",
                    place=node.at,
                    remedy="give it vectors",
                )
            found += shape
        return found

    # Index notation.

    def _index_statement(self, number: int, statement: syntax.Statement) -> None:
        """Give every index letter a size from the known shapes, and shapes from the letters."""
        letters = self.letters.setdefault(number, {})
        mentioned = [statement.target, *syntax.references(statement.expression)]
        for reference in mentioned:
            shape = self.known.get(reference.name)
            subscripts = self.unit_subscripts(reference)
            for subscript in subscripts:
                if subscript.name in NO_LETTERS:
                    raise UserError(
                        f"{subscript.name!r} cannot be the index of units",
                        place=reference.at,
                        remedy="use i, j or k; b is the sequence, T and B are lengths",
                    )
            if shape is None:
                sizes = [letters.get(s.name or "") for s in subscripts]
                if reference.subscripts is not None and None not in sizes:
                    self._learn(reference.name, tuple(s for s in sizes if s is not None))
                continue
            if len(shape) != len(subscripts):
                raise UserError(
                    f"{reference.name!r} has {len(shape)} feature axes and {len(subscripts)} "
                    "feature subscripts",
                    place=reference.at,
                    remedy="in index notation every axis has a subscript",
                )
            for subscript, size in zip(subscripts, shape, strict=True):
                self._letter(letters, reference, subscript.name, subscript.offset, size)

    def _letter(
        self,
        letters: dict[str, sp.Expr],
        reference: syntax.Reference,
        name: str | None,
        offset: int,
        size: sp.Expr,
    ) -> None:
        if name is None or offset:
            return
        if name not in letters:
            letters[name] = size
            self._changed = True
        elif not self._sizes.same(letters[name], size):
            raise UserError(
                f"the index {name!r} runs over {self._sizes.number(letters[name])} and, in "
                f"{reference.name!r}, over {self._sizes.number(size)}",
                place=reference.at,
                remedy="one index has one range",
            )


def _mention(node: syntax.Node) -> str:
    if isinstance(node, syntax.Reference):
        return repr(node.name)
    if isinstance(node, syntax.Transpose):
        return _mention(node.operand) + ".T"
    return "the operand"
