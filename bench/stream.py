"""Times one stream of samples through an LSTM in C, step by step: python -m bench.stream"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from bptt.codegen.extras import extend
from bptt.codegen.targets import files_of
from bptt.derive import Connection, Layer, LossSpec, Network, adjoint, build

UNITS, RATE = 12, 48_000
PROGRAM = """
#include "amp.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

static amp_parameters parameters;
static amp_state state;
static amp_real workspace[AMP_FORWARD_WORKSPACE(1, 1)];

int main(void)
{
    amp_real *all = (amp_real *)&parameters;
    for (unsigned long k = 0; k < sizeof parameters / sizeof *all; ++k)
        all[k] = (amp_real)(0.3 * sin(1.7 * (double)k));
    double best = HUGE_VAL, total = 0;
    for (int turn = 0; turn < 5; ++turn) {
        const clock_t start = clock();
        for (long t = 0; t < 10 * RATE; ++t) {
            const amp_real sample = (amp_real)sin(0.01 * (double)t);
            const amp_inputs now = {&sample};
            amp_signals signals;
            amp_step(&parameters, &now, &state, workspace, &signals);
            total += (double)signals.sound[0];
        }
        best = fmin(best, (double)(clock() - start) / CLOCKS_PER_SEC);
    }
    /* The total keeps compilers from leaving the work out. */
    printf("%.2f million samples a second, %.0f times %d Hz (%g)\\n", 1e-5 * RATE / best, 10 / best,
        RATE, total);
    return 0;
}
"""


def main() -> None:
    layers = (
        Layer("memory", UNITS, (Connection("guitar"),), cell="lstm"),
        Layer("sound", 1, (Connection("memory"),), "linear"),
    )
    system = build(Network("amp", {"guitar": 1}, layers, (LossSpec("sound"),)))
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files_of(extend(adjoint(system), ()), "c").items():
            Path(folder, name).write_text(text, encoding="utf-8")
        Path(folder, "stream.c").write_text(f"#define RATE {RATE}\n{PROGRAM}", encoding="utf-8")
        for dtype, flags in (("float64", []), ("float32", ["-DAMP_FLOAT"])):
            command = (
                "cc -std=c99 -O3 -march=native -ffp-contract=fast stream.c amp.c -o stream -lm"
            )
            subprocess.run([*command.split(), *flags], cwd=folder, check=True)
            run = subprocess.run(
                ["./stream"], cwd=folder, check=True, capture_output=True, text=True
            )
            print(f"LSTM of {UNITS} units, {dtype}: {run.stdout.strip()}")


if __name__ == "__main__":
    main()
