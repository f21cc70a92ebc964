"""A trained network on disk: its topology, its parameters, its units. No code is read back."""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import scipy

from derive.errors import UserError
from derive.topology import read_bounded
from train.checkpoint import strict_json, write_whole
from train.data.files import read_arrays
from train.data.scale import Scale, scale_of
from train.data.text import Vocabulary
from train.modules import module_of
from train.vector import Arrays

ABOUT, PARAMETERS = "run.json", "parameters.npz"


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
            **self.facts,
            "versions": versions(),
        }
        write_whole(folder / PARAMETERS, stream.getvalue())
        write_whole(folder / ABOUT, strict_json(about).encode())


def load_model(folder: str | Path) -> Model:
    """A model that `save` wrote. Raises UserError for a folder that holds none."""
    folder = Path(folder)
    path = folder / ABOUT
    try:
        about = json.loads(read_bounded(path))
        model = Model(
            topology=str(about["topology"]),
            parameters=read_arrays(str(folder / PARAMETERS)),
            measured=tuple(map(str, about["measured"])),
            scales={str(n): scale_of(entry) for n, entry in about["scales"].items()},
            vocabulary=Vocabulary(str(about["vocabulary"])) if about["vocabulary"] else None,
            facts={
                n: v
                for n, v in about.items()
                if n not in ("topology", "measured", "scales", "vocabulary", "versions")
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(
            "is no description of a trained network", file=str(path), remedy="train one anew"
        ) from None
    shapes = {n: tuple(s) for n, s in model.closed().PARAMETERS.items()}
    if {n: a.shape for n, a in model.parameters.items()} != shapes:
        raise UserError(
            "does not hold the parameters of the network in run.json",
            file=str(folder / PARAMETERS),
            remedy="train anew",
        )
    return model


def versions() -> dict[str, str]:
    """Of this project and of what computes."""
    return {
        "bptt": version("bptt"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
