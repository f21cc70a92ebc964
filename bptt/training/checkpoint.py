"""Where a run stands, on disk: written whole or not at all, read back to the bit."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bptt.derive.errors import UserError
from bptt.files import put_in_place, temporary
from bptt.training.data.files import load_npz
from bptt.training.loop import Progress
from bptt.training.methods.state import State

FORMAT = 1
_PLAIN = ("epoch", "number", "best_validation", "best_step", "waited", "total", "counted")


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
    try:
        text = arrays.pop("json").tobytes()
        digest = arrays.pop("digest").tobytes().decode()
        if digest != fingerprint({**arrays, "json": np.frombuffer(text, np.uint8)}):
            raise ValueError
        about = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        raise UserError(
            "is no checkpoint, or damaged", file=str(path), remedy="start anew with --overwrite"
        ) from None
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
        "state": {
            "steps": state.steps,
            "loss": state.loss,
            "gradient_norm": state.gradient_norm,
            "report": dict(state.report),
            "done": state.done,
        },
    }
    write_whole(path, packed(arrays, about))


def load(path: Path) -> tuple[Progress, dict[str, Any]]:
    """A checkpoint's progress, and the identity of its run."""
    arrays, about = unpacked(path)
    try:
        groups: dict[str, Any] = {"memory": {}, "carried": {}}
        for key, array in arrays.items():
            group, _, name = key.partition("/")
            if name:
                groups[group][name] = array
        state = State(vector=arrays["vector"], **{**about["state"], **groups})
        progress = Progress(state, arrays["best"], **about["progress"])
        progress = replace(
            progress,
            history=tuple(about["history"]),
            stopped=str(about["stopped"]),
            diverged=bool(about["diverged"]),
        )
        _check(progress)
        return progress, about["identity"]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            "is no checkpoint", file=str(path), remedy="start anew with --overwrite"
        ) from None


def _check(progress: Progress) -> None:
    """Refuse values of other kinds than `save` writes; raises ValueError."""
    state = progress.state
    counts = [progress.epoch, progress.number, progress.waited, progress.counted]
    counts += [progress.best_step, state.steps]
    numbers = (progress.best_validation, progress.total, state.loss, state.gradient_norm)
    rows = (*progress.history, state.report)
    values = (*numbers, *(v for row in rows for v in row.values()))
    right = (
        all(type(n) is int and n >= 0 for n in counts)
        and all(isinstance(v, int | float) for v in values)
        and all(isinstance(n, str) for row in rows for n in row)
        and all(v.dtype.kind == "f" and v.ndim == 1 for v in (state.vector, progress.best))
        and all(np.isfinite(v).all() for v in (state.vector, progress.best))
        and state.vector.shape == progress.best.shape
    )
    if not right:
        raise ValueError


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
