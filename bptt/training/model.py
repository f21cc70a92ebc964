"""A trained network on disk: its topology, its parameters, its units. No code is read back."""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any

import numpy as np
import scipy

from bptt.derive.calculus.open_loop import MEASURED
from bptt.derive.errors import UserError
from bptt.training.checkpoint import fingerprint, strict_json, write_whole
from bptt.training.data.files import read_arrays, read_text
from bptt.training.data.scale import Scale, scale_of
from bptt.training.data.text import Vocabulary, text_names
from bptt.training.modules import module_of
from bptt.training.stored import matches, read_json
from bptt.training.vector import Arrays

ABOUT, PARAMETERS = "run.json", "parameters.npz"
# What a description holds beside the facts.
OWN = ("topology", "measured", "scales", "vocabulary", "digest", "versions")
_WRITTEN = {
    "topology": str,
    "measured": [str],
    "scales": {str: {"centre": [float], "spread": [float]}},
    "vocabulary": (str, NoneType),
    "digest": str,
}


@dataclass(frozen=True)
class Model:
    """A network with its parameters, in the network's units, and what it was trained with.

    `measured` are the outputs whose loops were opened; `scales` are by signal; `facts` are
    options, results and versions, for people.
    """

    topology: str
    parameters: Arrays
    measured: tuple[str, ...] = ()
    scales: Mapping[str, Scale] = field(default_factory=dict)
    vocabulary: Vocabulary | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def closed(self, *extras: str) -> ModuleType:
        """The module as the topology says, with extras."""
        return module_of(self.topology, extras=extras)

    def opened(self, *extras: str) -> ModuleType:
        """The module that reads measured values in place of the outputs that were opened."""
        return module_of(self.topology, measured=self.measured, extras=extras)

    def original(self, name: str, values: Any) -> Any:
        """Values of a signal in the units of the data."""
        return self.scales[name].original(values) if name in self.scales else values

    def save(self, folder: Path) -> None:
        """Write `parameters.npz` and `run.json`, each whole or not at all. Raises UserError."""
        stream = io.BytesIO()
        np.savez(stream, allow_pickle=False, **self.parameters)
        about = {
            "topology": self.topology,
            "measured": list(self.measured),
            "scales": {n: s.as_json() for n, s in self.scales.items()},
            "vocabulary": self.vocabulary.characters if self.vocabulary else None,
            "digest": fingerprint(self.parameters),
            **self.facts,
            "versions": versions(),
        }
        write_whole(folder / PARAMETERS, stream.getvalue())
        write_whole(folder / ABOUT, strict_json(about).encode())


def load_model(folder: str | Path) -> Model:
    """A model that `save` wrote. Raises UserError for a folder that holds none."""
    folder = Path(folder)
    path = folder / ABOUT
    if not os.path.exists(path):
        raise UserError(
            f"holds no trained network ({ABOUT} is not there)",
            file=str(folder),
            remedy="name the folder of a run that has ended",
        )
    about = read_json(read_text(str(path)))
    if not matches(about, _WRITTEN):
        raise UserError(
            "is no description of a trained network", file=str(path), remedy="train one anew"
        )
    model = Model(
        topology=about["topology"],
        parameters=read_arrays(str(folder / PARAMETERS)),
        measured=tuple(about["measured"]),
        scales={name: scale_of(entry) for name, entry in about["scales"].items()},
        vocabulary=Vocabulary(about["vocabulary"]) if about["vocabulary"] else None,
        facts={n: v for n, v in about.items() if n not in OWN},
    )
    try:
        _check(model, about["digest"])
    except UserError as error:
        raise error.located(file=str(path)) from None
    return model


def _check(model: Model, digest: Any) -> None:
    """Refuse a description and parameters that do not belong to each other."""
    module = model.closed()
    shapes = {n: tuple(s) for n, s in module.PARAMETERS.items()}
    dtypes = {str(a.dtype) for a in model.parameters.values()}
    if (
        {n: a.shape for n, a in model.parameters.items()} != shapes
        or dtypes not in ({"float32"}, {"float64"})
        or digest != fingerprint(model.parameters)
    ):
        raise UserError(
            f"{PARAMETERS} does not hold the parameters of this network", remedy="train anew"
        )
    opened = model.opened() if model.measured else module
    widths = {n.removeprefix(MEASURED): s[-1] for n, s in opened.INPUTS.items()}
    widths |= {n: s[-1] for n, s in module.TARGETS.items()}
    for name, scale in model.scales.items():
        sizes = {len(scale.centre), len(scale.spread)}
        finite = np.isfinite([*scale.centre, *scale.spread]).all()
        if sizes != {widths.get(name)} or not finite or not all(s > 0 for s in scale.spread):
            raise UserError("is no scale", place=f"scales.{name}"[:80], remedy="train anew")
    if model.vocabulary is not None:
        known = model.vocabulary.characters
        source, target = text_names(module)
        classes = min(module.INPUTS[source][-1], module.TARGETS[target][-1])
        if len(set(known)) != len(known) or len(known) > classes or not _is_text(known):
            raise UserError("is no vocabulary of it", place="vocabulary", remedy="train anew")


def _is_text(characters: str) -> bool:
    """Whether they can be written: no halves of pairs."""
    return not any(0xD800 <= ord(c) < 0xE000 for c in characters)


def versions() -> dict[str, str]:
    """Of this project and of what computes."""
    return {
        "bptt": version("bptt"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
