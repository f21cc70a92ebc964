"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from bptt.derive.errors import UserError

# What files are called that are not whole yet.
TEMPORARY = ".bptt-"


def write_all(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write files, each one whole or not at all; all are ready before the first is in place."""
    ready: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            ready.append((temporary(folder, text.encode("utf-8")), folder / name))
        for _, path in ready:
            if path.exists() and not path.is_file() and not path.is_dir():
                raise OSError(errno.EINVAL, f"{path.name} is no plain file")
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{path.name} in it is a folder")
        for written, path in ready:
            put_in_place(written, path)
    except OSError as error:
        for written, _ in ready:
            written.unlink(missing_ok=True)
        raise UserError(
            f"cannot be written ({error.strerror})", file=str(folder), remedy="name another folder"
        ) from None
    return [path for _, path in ready]


def temporary(folder: Path, data: bytes) -> Path:
    """A new file in a folder, on the disk before this returns; none is left where that fails."""
    path = None
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=TEMPORARY, delete=False) as stream:
            path = Path(stream.name)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        return path
    except OSError:
        if path is not None:
            path.unlink(missing_ok=True)
        raise


def put_in_place(written: Path, path: Path) -> None:
    """Give a whole file its name and its customary permissions."""
    umask = os.umask(0)
    os.umask(umask)
    written.chmod(0o666 & ~umask)
    written.replace(path)
