"""Encoder and decoder with multiplicative attention and input feeding, as generated/luong.toml.

Luong, Pham and Manning 2015, "Effective Approaches to Attention-based Neural Machine Translation".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.networks.case import (
    Case,
    Problem,
    Run,
    Size,
    device_arrays,
    jax_compiled,
    leaves,
    normal,
    pytorch,
    weights,
)
from bptt.derive import Network, loads

TOPOLOGY = """
name = "attention"
equations = '''
enc[s] = tanh(W_e @ source[s] + U_e @ enc[s-1] + b_e)
h[t] = tanh(W @ word[t] + F @ att[t-1] + U @ h[t-1] + b)
e[t,s] = h[t] @ A @ enc[s]
a[t,s] = softmax(e[t,s], s)
c[t] = sum(a[t,s] * enc[s], s)
att[t] = tanh(C @ concat(c[t], h[t]))
y[t] = softmax(W_y @ att[t])
'''
[inputs]
source = {{ size = {words}, time = "S" }}
word = {words}
[signals]
enc = {hidden}
h = {hidden}
att = {hidden}
y = {words}
[loss]
y = "cross_entropy"
"""


def network(size: Size) -> Network:
    words, hidden, *_ = size
    return loads(TOPOLOGY.format(words=words, hidden=hidden))


def problem(size: Size, dtype: str) -> Problem:
    words, hidden, batch, read, written = size
    rng = np.random.default_rng(0)
    shapes: dict[str, Size] = {
        "W_e": (hidden, words),
        "U_e": (hidden, hidden),
        "b_e": (hidden,),
        "W": (hidden, words),
        "F": (hidden, hidden),
        "U": (hidden, hidden),
        "b": (hidden,),
        "A": (hidden, hidden),
        "C": (hidden, 2 * hidden),
        "W_y": (words, hidden),
    }
    inputs = normal(rng, {"source": (read, batch, words), "word": (written, batch, words)}, dtype)
    return Problem(
        weights(rng, shapes, dtype), inputs, {"y": rng.integers(words, size=(written, batch))}
    )


def torch_loop(given: Problem) -> Run:
    """What can be is done for all steps at once: both inputs' products, the keys, the read-out."""
    import torch

    p = dict(zip(given.parameters, leaves(given.parameters.values()), strict=True))
    source, word = (torch.from_numpy(given.inputs[name]) for name in ("source", "word"))
    classes = torch.from_numpy(given.targets["y"])

    def loss() -> Any:
        state = source.new_zeros(source.shape[1], len(p["U"]))
        encoded = []
        for net in source @ p["W_e"].T + p["b_e"]:
            state = torch.tanh(net + state @ p["U_e"].T)
            encoded.append(state)
        values = torch.stack(encoded, 1)
        keys = values @ p["A"].T
        h = attentional = torch.zeros_like(state)
        written = []
        for net in word @ p["W"].T + p["b"]:
            h = torch.tanh(net + attentional @ p["F"].T + h @ p["U"].T)
            share = torch.softmax(torch.bmm(keys, h[:, :, None]), 1)
            context = torch.bmm(share.transpose(1, 2), values)[:, 0]
            attentional = torch.tanh(torch.cat([context, h], 1) @ p["C"].T)
            written.append(attentional)
        logits = torch.stack(written) @ p["W_y"].T
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), classes.flatten())

    return pytorch(p.values(), loss)


def jax_scan(given: Problem) -> Run:
    import jax

    jnp = jax.numpy

    def loss(p: Any, source: Any, word: Any, classes: Any) -> Any:
        def encode(state: Any, net: Any) -> Any:
            state = jnp.tanh(net + state @ p["U_e"].T)
            return state, state

        def write(carried: Any, net: Any) -> Any:
            h, attentional = carried
            h = jnp.tanh(net + attentional @ p["F"].T + h @ p["U"].T)
            share = jax.nn.softmax(jnp.einsum("bi,sbi->sb", h, keys), axis=0)
            context = jnp.einsum("sb,sbi->bi", share, values)
            attentional = jnp.tanh(jnp.concatenate([context, h], axis=1) @ p["C"].T)
            return (h, attentional), attentional

        zero = jnp.zeros((source.shape[1], len(p["U"])), source.dtype)
        _, values = jax.lax.scan(encode, zero, source @ p["W_e"].T + p["b_e"])
        keys = values @ p["A"].T
        _, written = jax.lax.scan(write, (zero, zero), word @ p["W"].T + p["b"])
        logarithms = jax.nn.log_softmax(written @ p["W_y"].T)
        return -jnp.take_along_axis(logarithms, classes[..., None], axis=-1).mean()

    data = device_arrays({**given.inputs, "classes": given.targets["y"]})
    return jax_compiled(loss, device_arrays(given.parameters), *data.values())


CASE = Case(
    name="attention",
    about="encoder, and decoder with attention and input feeding",
    axes="words, hidden, batch, read, written",
    sizes=((20, 32, 8, 20, 20),),
    network=network,
    problem=problem,
    others={"PyTorch hoisted": torch_loop, "jax.lax.scan": jax_scan},
)
