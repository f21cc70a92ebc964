"""Programs as C lays them out: a structure of pointers to their arrays, and their functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bptt.codegen.c.memory import Memory, length_code
from bptt.codegen.c.names import Names
from bptt.codegen.c.statements import FunctionText, function_text, window_axes
from bptt.codegen.entries import size_names
from bptt.codegen.extras import Extended, total_weights
from bptt.codegen.program import Function, Program, changed, first_step_of
from bptt.derive.calculus.system import Reach


@dataclass(frozen=True)
class Definition:
    """A function as the templates lay it out: what it is about, its head, its body."""

    about: str
    head: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Frame:
    """A program in the file of a network.

    `arrays` are those that its functions use, and whether any of them fills them; `reach` how many
    steps outside a sequence are read of each; `sizes` the lengths of axes that are known when it
    runs; `first_step` the number of the first step.
    """

    program: Program
    prefix: str
    type: str
    names: Names
    memory: Memory
    texts: tuple[FunctionText, ...]
    arrays: tuple[tuple[str, bool], ...]
    reach: Mapping[str, Reach]
    sizes: tuple[str, ...]
    first_step: str

    @property
    def members(self) -> list[str]:
        """The pointers of the structure, with the axes of their arrays."""
        found = []
        for name, is_filled in self.arrays:
            axes = "".join(f"[{length_code(n)}]" for n in self.memory.lengths(name))
            kind = f"{'' if is_filled else 'const '}{self.prefix}_real"
            found.append(f"{kind} *{self.names[name]}; /* {axes or 'one number'} */")
        if self.multiplies:
            found.append(f"{self.prefix}_gemm *gemm; /* for large products; or null */")
        return found

    @property
    def multiplies(self) -> bool:
        """Whether its functions compute products of matrices, which a BLAS may do."""
        return any("multiply" in text.helpers for text in self.texts)

    def pairs(self) -> Iterable[tuple[Function, FunctionText]]:
        return zip(self.program.functions, self.texts, strict=True)

    @property
    def definitions(self) -> list[Definition]:
        """The functions that compute the equations."""
        found = []
        for text in self.texts:
            sizes = "".join(f", long {n}" for n in (*self.sizes, *text.counts))
            head = f"void {self.prefix}_compute{text.name}(const {self.type} *arrays{sizes})"
            given = ("arrays", *self.sizes)
            unused = [f"    (void){n};" for n in given if not mentions(text.lines, n)]
            found.append(Definition(text.about, head, (*unused, *text.lines)))
        return found


def frames_of(extended: Extended, programs: Sequence[Program]) -> list[Frame]:
    """The programs of a module as C lays them out."""
    prefix = extended.base.name
    free = [str(s) for s in extended.system.free]
    sizes = tuple(size_names(extended.base).split(", "))
    found = []
    totals = total_weights(extended.base)
    for number, program in enumerate(programs):
        if number:
            program = _given(program, totals)
        first_step = first_step_of(program)
        memory = Memory(program.buffers, window_axes(program))
        names = Names(program.buffers, prefix, {*sizes, *free, first_step})
        texts = tuple(
            function_text(memory, function, names, free, first_step)
            for function in program.functions
        )
        used = {n for text in texts for n in text.arrays}
        filled = {n for text in texts for n in text.filled}
        found.append(
            Frame(
                program=program,
                prefix=prefix,
                type=f"{prefix}_online_arrays" if number else f"{prefix}_arrays",
                names=names,
                memory=memory,
                texts=texts,
                arrays=tuple((n, n in filled) for n in program.buffers if n in used),
                reach=extended.system.reach,
                sizes=sizes,
                first_step=first_step,
            )
        )
    return found


def _given(program: Program, names: Iterable[str]) -> Program:
    """A program that is given what else it computes: the sums of weights, online, are of a whole
    sequence, or of one step."""
    given = tuple(n for n in names if n in program.buffers)
    functions = (
        replace(
            function,
            takes=(*function.takes, *given),
            body=changed(function.body, lambda a: () if a.target.name in given else (a,)),
            gives=tuple(n for n in function.gives if n not in given),
        )
        for function in program.functions
    )
    return replace(program, functions=tuple(functions))


def mentions(lines: Iterable[str], name: str) -> bool:
    """Whether an identifier stands in some lines."""
    word = re.compile(rf"\b{name}\b")
    return any(word.search(line) for line in lines)
