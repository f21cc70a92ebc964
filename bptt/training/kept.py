"""A run in a folder: checkpoints, Ctrl-C, going on, and what is left at the end."""

from __future__ import annotations

import csv
import io
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bptt.derive.errors import UserError
from bptt.files import TEMPORARY
from bptt.training.checkpoint import load, save, write_whole
from bptt.training.fit import Fitted, Prepared
from bptt.training.loop import Progress, Watch, resumed, run
from bptt.training.model import ABOUT, PARAMETERS

try:
    import fcntl
except ImportError:  # no locks on this system
    fcntl = None  # type: ignore[assignment]

CHECKPOINT, HISTORY = "checkpoint.npz", "history.csv"
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Keeper:
    """The folder of a run. Checkpoints are written at most every `seconds`, and at the end."""

    folder: Path
    prepared: Prepared
    seconds: float = 2.0

    @property
    def checkpoint(self) -> Path:
        return self.folder / CHECKPOINT

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, and keep other runs out of it, where the system can.

        Raises UserError where it cannot be made, or another process is at work in it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder, os.O_RDONLY) if fcntl else None
        except OSError as error:
            raise UserError(
                f"cannot be made ({error.strerror})", file=str(self.folder), remedy="name another"
            ) from None
        try:
            if fcntl is not None and handle is not None:
                self._lock(handle)
            for left in self.folder.glob(f"{TEMPORARY}*"):
                if left.is_file():
                    left.unlink()  # of a run that was killed while it wrote
            yield
        finally:
            if handle is not None:
                os.close(handle)

    def _lock(self, handle: int) -> None:
        """Raises UserError where another run holds the lock; not all file systems have locks."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another run is at work in it", file=str(self.folder), remedy="wait, or use -o"
            ) from None
        except OSError:
            return

    def begin(self, *, resume: bool, overwrite: bool) -> Progress:
        """Where to start: anew, or at the checkpoint. Raises UserError rather than lose a run."""
        if resume and overwrite:
            raise UserError(
                "stands beside --resume", place="--overwrite", remedy="give one of them"
            )
        fresh = self.prepared.task.start(self.prepared.start)
        held = any((self.folder / name).exists() for name in (CHECKPOINT, ABOUT, PARAMETERS))
        if held and not (resume or overwrite):
            raise UserError(
                "holds a run already",
                file=str(self.folder),
                remedy="--resume goes on with it, --overwrite starts anew, -o names another folder",
            )
        if overwrite or not held:
            # So does a run that was killed before its first checkpoint.
            save(self.checkpoint, fresh, self.prepared.identity)
            return fresh
        progress, identity = load(self.checkpoint)
        self._check(identity)
        first = fresh.state.vector
        if (progress.best.shape, progress.best.dtype) != (first.shape, first.dtype):
            raise UserError(
                "holds other parameters", file=str(self.checkpoint), remedy="use --overwrite"
            )
        return resumed(progress, self.prepared.task.plan)

    def _check(self, identity: Mapping[str, Any]) -> None:
        """Refuse to go on with another network, other data or other options."""
        own, identity = self.prepared.identity, identity if isinstance(identity, dict) else {}
        for name, what in (("topology", "the topology"), ("data", "the data"), ("start", "--from")):
            if identity.get(name) != own[name]:
                raise UserError(
                    f"{what} is not what this run began with",
                    file=str(self.checkpoint),
                    remedy="name another folder with -o, or start anew with --overwrite",
                )
        before = identity.get("options")
        for name, value in own["options"].items():
            if not isinstance(before, dict) or before.get(name) != value:
                old = before.get(name) if isinstance(before, dict) else None
                raise UserError(
                    f"the run began with {old!r}, now it is {value!r}",
                    file=str(self.checkpoint),
                    place="--" + name.replace("_", "-"),
                    remedy="give what it began with, or start anew with --overwrite",
                )

    def run(self, progress: Progress, watch: Watch, tick: Watch) -> Progress:
        """Run to the end, or to Ctrl-C; what was reached is in the checkpoint either way."""
        latest, saved = progress, time.monotonic()

        def keep(new: Progress) -> None:
            nonlocal latest, saved
            latest = new
            if time.monotonic() - saved >= self.seconds:
                save(self.checkpoint, new, self.prepared.identity)
                saved = time.monotonic()

        def reported(new: Progress) -> None:
            keep(new)
            watch(new)

        def stepped(new: Progress) -> None:
            keep(new)
            tick(new)

        with _interruptible():
            try:
                latest = run(self.prepared.task, progress, watch=reported, tick=stepped)
            except KeyboardInterrupt:
                latest = replace(latest, stopped=INTERRUPTED)
        save(self.checkpoint, latest, self.prepared.identity)
        return latest

    def finish(self, progress: Progress, results: Mapping[str, Any]) -> Fitted:
        """Write the model and the history; results go into run.json."""
        model = self.prepared.trained(progress)
        facts = {
            **model.facts,
            "stopped": progress.stopped,
            "steps": progress.step,
            "epochs": progress.epoch,
            "kept_step": progress.best_step,
            "results": dict(results),
        }
        model = replace(model, facts=facts)
        write_whole(self.folder / HISTORY, table(progress.history).encode())
        model.save(self.folder)
        return Fitted(model, progress, self.prepared)


def table(history: Sequence[Mapping[str, float]]) -> str:
    """Rows of numbers by name as CSV."""
    names = list(dict.fromkeys(name for row in history for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return stream.getvalue()


@contextmanager
def _interruptible() -> Iterator[None]:
    """A polite end asked for by SIGTERM is one by Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)
