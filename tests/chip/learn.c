/* Trains the network of learner.toml by gradient descent, and prints losses and first gradients. */

#include "learner.h"

#include <math.h>
#include <stdio.h>

enum { T = 8, B = 1, STEPS = 1000 };

static learner_parameters parameters, gradients;
static learner_real workspace[LEARNER_WORKSPACE(T, B)], x[T * 2], y[T];

/* A number as the bits of a double: nothing is lost, and no library is asked for digits. */
static void print(const char *name, double value)
{
    union { double value; unsigned long long bits; } found;
    found.value = value;
    const unsigned long high = (unsigned long)(found.bits >> 32);
    printf("%s %08lx%08lx\n", name, high, (unsigned long)(found.bits & 0xFFFFFFFFu));
}

static double number(long k)
{
    return sin(1.0 + 2.399963 * (double)k);
}

int main(void)
{
    const learner_inputs inputs = {x};
    const learner_targets targets = {y};
    learner_real *all = (learner_real *)&parameters;
    const learner_real *slopes = (const learner_real *)&gradients;
    const long count = (long)(sizeof parameters / sizeof *all);
    for (long k = 0; k < count; ++k)
        all[k] = (learner_real)(0.25 * number(k));
    for (int step = 0; step <= STEPS; ++step) {
        for (long t = 0; t < T; ++t) {
            x[2 * t] = number(7 * step + t) > 0 ? 1 : -1;
            x[2 * t + 1] = 1;
            y[t] = t < 2 ? 0 : x[2 * (t - 2)];
        }
        const learner_real loss = learner_loss_and_gradients(
            &parameters, &inputs, &targets, 0, T, B, workspace, &gradients, 0, 0);
        if (step % (STEPS / 4) == 0)
            print("loss", (double)loss);
        if (step == 0)
            for (long k = 0; k < count; ++k)
                print("slope", (double)slopes[k]);
        for (long k = 0; k < count; ++k)
            all[k] -= (learner_real)0.5 * slopes[k];
    }
    return 0;
}
