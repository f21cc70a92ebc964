"""Names in C: those of a network, where C and its libraries do not use them already."""

from __future__ import annotations

import copy
from collections.abc import Iterable

# Keywords of C and C++, their spellings of operators, and macros that headers or compilers make.
TAKEN = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while
    alignas alignof asm atomic_cancel atomic_commit atomic_noexcept bool catch char8_t char16_t
    char32_t class co_await co_return co_yield concept consteval constexpr constinit const_cast
    decltype delete dynamic_cast explicit export false friend module mutable namespace new noexcept
    nullptr operator private protected public reflexpr reinterpret_cast requires static_assert
    static_cast synchronized template this thread_local throw true try typeid typename typeof
    typeof_unqual using virtual wchar_t
    and and_eq bitand bitor compl not not_eq or or_eq xor xor_eq
    NULL EOF NAN INFINITY HUGE_VAL HUGE_VALF HUGE_VALL FP_NAN FP_INFINITE FP_ZERO FP_SUBNORMAL
    FP_NORMAL FP_ILOGB0 FP_ILOGBNAN MATH_ERRNO MATH_ERREXCEPT math_errhandling fpclassify isfinite
    isinf isnan isnormal signbit isgreater isgreaterequal isless islessequal islessgreater
    isunordered M_E M_LOG2E M_LOG10E M_LN2 M_LN10 M_PI M_PI_2 M_PI_4 M_1_PI M_2_PI M_2_SQRTPI
    M_SQRT2 M_SQRT1_2 OVERFLOW UNDERFLOW DOMAIN SING PLOSS TLOSS MAXFLOAT HUGE X_TLOSS
    errno assert offsetof stdin stdout stderr linux unix i386 near far pascal cdecl interface
    small hyper IN OUT min max TRUE FALSE ERROR OPTIONAL CONST arm ARM mips PPC sparc sun vax
    """.split()
)
# What the functions of a file call their arguments and variables.
OWN = frozenset(
    "parameters inputs targets weights initial gradients state workspace arrays gemm".split()
)


class Names:
    """Identifiers for what a program calls by name: each name has one, and no two share one."""

    def __init__(self, names: Iterable[str], prefix: str, own: Iterable[str] = ()) -> None:
        names = tuple(dict.fromkeys(names))
        self.prefix = prefix
        self._taken = {*TAKEN, *OWN, *own, *names}
        self._found: dict[str, str] = {}
        for name in names:
            self._found[name] = name if self._is_free(name) else self.fresh(name)

    def _is_free(self, name: str) -> bool:
        # A file's own functions and types begin with its prefix, its macros with that in capitals.
        begins = (f"{self.prefix}_", f"{self.prefix.upper()}_")
        return name not in TAKEN and name not in OWN and not name.startswith(begins)

    def __getitem__(self, name: str) -> str:
        """The identifier of a quantity."""
        return self._found[name]

    def within(self) -> Names:
        """The same names for one function, which may take further ones for itself."""
        found = copy.copy(self)
        found._taken = set(self._taken)
        return found

    def fresh(self, wanted: str) -> str:
        """A name that nothing has yet: what is wanted, with underscores behind it if need be."""
        if not self._is_free(f"{wanted}_"):
            wanted = f"own_{wanted}"
        while wanted in self._taken or not self._is_free(wanted):
            wanted += "_"
        self._taken.add(wanted)
        return wanted
