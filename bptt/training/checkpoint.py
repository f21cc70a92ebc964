"""Where a run stands, on disk: written whole or not at all, read back to the bit."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bptt.derive.errors import UserError
from bptt.files import put_in_place, temporary
from bptt.training.data.files import load_npz
from bptt.training.loop import Progress
from bptt.training.methods.state import State
from bptt.training.stored import NUMBER, matches, read_json

FORMAT = 1
# What is written of a run and of its state as JSON, with the types of the values.
_PLAIN = {
    **dict.fromkeys(("epoch", "number", "best_step", "waited", "counted"), int),
    **dict.fromkeys(("best_validation", "total"), NUMBER),
}
_STATE = {
    "steps": int,
    "loss": NUMBER,
    "gradient_norm": NUMBER,
    "report": {str: NUMBER},
    "done": str,
}
_SAVED = {
    "identity": dict,
    "progress": _PLAIN,
    "history": [{str: NUMBER}],
    "stopped": str,
    "diverged": bool,
    "state": _STATE,
}


def write_whole(path: Path, data: bytes) -> None:
    """Put bytes in a file so that a kill, at any moment, leaves the old file or the new one.

    Raises UserError where it cannot be written; the old file is then untouched.
    """
    written = None
    try:
        written = temporary(path.parent, data)
        put_in_place(written, path)
    except OSError as error:
        if written is not None:
            written.unlink(missing_ok=True)
        raise UserError(
            f"cannot be written ({error.strerror})",
            file=str(path),
            remedy="make room or name another folder; what was there before is untouched",
        ) from None


def packed(arrays: Mapping[str, Any], about: Mapping[str, Any]) -> bytes:
    """Arrays, and JSON beside them, as the bytes of one .npz file."""
    stream = io.BytesIO()
    whole = {**arrays, "json": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    digest = np.frombuffer(fingerprint(whole).encode(), np.uint8)
    np.savez(stream, allow_pickle=False, **{**whole, "digest": digest})
    return stream.getvalue()


def fingerprint(arrays: Mapping[str, Any]) -> str:
    """A digest of arrays by name."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype} {array.shape};".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def unpacked(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `packed` wrote. Raises UserError for another file."""
    try:
        arrays = load_npz(str(path))
    except UserError as error:
        raise UserError(error.found, file=str(path), remedy="start anew with --overwrite") from None
    text = arrays.pop("json", np.empty(0)).tobytes()
    digest = arrays.pop("digest", np.empty(0)).tobytes()
    whole = {**arrays, "json": np.frombuffer(text, np.uint8)}
    about = read_json(text)
    if about is None or digest != fingerprint(whole).encode():
        raise UserError(
            "is no checkpoint, or damaged", file=str(path), remedy="start anew with --overwrite"
        )
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise UserError(
            "is of another version", file=str(path), remedy="start anew with --overwrite"
        )
    return arrays, about


def save(path: Path, progress: Progress, identity: Mapping[str, Any]) -> None:
    """Write a checkpoint; `identity` says of which run it is."""
    state = progress.state
    arrays = {"vector": state.vector, "best": progress.best}
    arrays |= {f"memory/{n}": a for n, a in state.memory.items()}
    arrays |= {f"carried/{n}": np.asarray(a) for n, a in state.carried.items()}
    about = {
        "format": FORMAT,
        "identity": dict(identity),
        "progress": {name: getattr(progress, name) for name in _PLAIN},
        "history": [dict(row) for row in progress.history],
        "stopped": progress.stopped,
        "diverged": progress.diverged,
        "state": {name: getattr(state, name) for name in _STATE} | {"report": dict(state.report)},
    }
    write_whole(path, packed(arrays, about))


def load(path: Path) -> tuple[Progress, dict[str, Any]]:
    """A checkpoint's progress, and the identity of its run."""
    arrays, about = unpacked(path)
    if not _is_progress(arrays, about):
        raise UserError("is no checkpoint", file=str(path), remedy="start anew with --overwrite")
    groups: dict[str, Any] = {"memory": {}, "carried": {}}
    for key, array in arrays.items():
        group, _, name = key.partition("/")
        if group in groups:
            groups[group][name] = array
    known = {name: about["state"][name] for name in _STATE}
    progress = Progress(
        State(vector=arrays["vector"], **known, **groups),
        arrays["best"],
        **{name: about["progress"][name] for name in _PLAIN},
        history=tuple(about["history"]),
        stopped=about["stopped"],
        diverged=about["diverged"],
    )
    return progress, about["identity"]


def _is_progress(arrays: Mapping[str, Any], about: Any) -> bool:
    """Whether these are values of the kinds that `save` writes."""
    if not matches(about, _SAVED) or not {"vector", "best"} <= arrays.keys():
        return False
    counts = [about["state"]["steps"], *(about["progress"][n] for n in _PLAIN if _PLAIN[n] is int)]
    vectors = arrays["vector"], arrays["best"]
    return (
        all(n >= 0 for n in counts)
        and all(v.dtype.kind == "f" and v.ndim == 1 and np.isfinite(v).all() for v in vectors)
        and vectors[0].shape == vectors[1].shape
    )


def strict_json(value: Any) -> str:
    """JSON for people and other programs: what is not finite becomes null."""

    def plain(item: Any) -> Any:
        if isinstance(item, Mapping):
            return {str(k): plain(v) for k, v in item.items()}
        if isinstance(item, list | tuple):
            return [plain(v) for v in item]
        if isinstance(item, float) and not math.isfinite(item):
            return None
        return item

    return json.dumps(plain(value), indent=2, allow_nan=False) + "\n"
