"""How much flash the functions of a C file take on a Cortex-M4: python -m bench.flash FILE

What a program that calls one function has beside one that calls none, which knows exp and its
like: gcc-arm-none-eabi, -O2, each linked with what it calls alone.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bptt.codegen.extras import extend, possible_extras
from bptt.codegen.targets import files_of
from bptt.derive import adjoint, build, load

CHIP = Path(__file__).parent.parent / "tests" / "chip"
COMPILER = (
    "arm-none-eabi-gcc -std=c99 -O2 -mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard "
    "-ffunction-sections -fdata-sections -nostartfiles --specs=rdimon.specs -T chip.ld "
    "-Wl,--gc-sections"
).split()
PROGRAM = """#include "{name}.h"
#include <math.h>
volatile void *kept;
volatile double x;
int main(void)
{{
    x = exp(x) + log(x) + log1p(x) + sqrt(x);
    {body}
    return 0;
}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=CHIP / "learner.toml")
    file = parser.parse_args().file
    if shutil.which(COMPILER[0]) is None:
        sys.exit(f"{COMPILER[0]} is not installed")
    derived = adjoint(build(load(file)))
    name = derived.name
    extras = [n for n in possible_extras(derived) if n in ("jvp", "rtrl", "truncated")]
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for file_name, text in files_of(extend(derived, extras), "c").items():
            (here / file_name).write_text(text, encoding="utf-8")
        for part in ("startup.c", "chip.ld"):
            shutil.copy(CHIP / part, here)
        header = (here / f"{name}.h").read_text(encoding="utf-8")
        functions = re.findall(rf"^(?:void|{name}_real) {name}_((?!compute)\w+)\(", header, re.M)
        print(f"{'bytes of flash':24}{'double':>10}{'float':>10}")
        for function in functions:
            sizes = [
                size(here, name, f"kept = (void *){name}_{function};", flags)
                - size(here, name, "", flags)
                for flags in ([], [f"-D{name.upper()}_FLOAT"])
            ]
            print(f"{function:24}{sizes[0]:10,}{sizes[1]:10,}")


def size(folder: Path, name: str, body: str, flags: list[str]) -> int:
    """How large a program is on the board, in bytes."""
    text = PROGRAM.format(name=name, body=body)
    (folder / "own.c").write_text(text, encoding="utf-8")
    command = [*COMPILER, *flags, "own.c", f"{name}.c", "startup.c", "-o", "own.elf", "-lm"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    table = subprocess.run(
        ["arm-none-eabi-size", "own.elf"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
    return int(table.splitlines()[1].split()[0])


if __name__ == "__main__":
    main()
