"""Files read without surprises, and written whole or not at all."""

from __future__ import annotations

import errno
import glob
import itertools
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ABANDONED = 600
"""Seconds after which a part is nobody's any more: its writer was killed."""
_COUNT = itertools.count()


class TooLargeError(OSError):
    """A file has more bytes than are read."""

    def __init__(self, size: int, limit: int) -> None:
        """Args: how many it has, and how many are read."""
        super().__init__(errno.EFBIG, f"has {size:,} bytes, more than the {limit:,} allowed")


def read_plain(path: Path, limit: int) -> bytes:
    """The content of a plain file that is not absurdly large; a pipe, of which there may be no end, is not waited for.

    Raises:
        OSError: there is none, or it is a folder or anything else, or cannot be read.
        TooLargeError: it has more bytes than ``limit``.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "is no plain file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TooLargeError(max(state.st_size, len(data)), limit)
    return data


def _without_waiting(path: str, flags: int) -> int:
    # Whoever opens a pipe waits for somebody at its other end; where there is no such flag, there are no such files.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Within it nobody else is who locks the folder, in this process or another; who comes later waits.

    For what reads files, and writes them anew from what it read. Where a system cannot lock folders, nobody waits.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems lock nothing
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_whole(path: Path, content: str | bytes) -> bool:
    """Write a file so that readers see the old content or the new, never a part, also after a crash.

    Folders are made as needed, links are followed, the permissions of an existing file are kept, and a file that
    already holds the content is left alone.

    Returns:
        Whether the file changed.

    Raises:
        OSError: it cannot be written; then the old content is still there.
    """
    data = content.encode() if isinstance(content, str) else content
    path = path.resolve()
    if path.is_file() and path.read_bytes() == data:
        return False
    with _written(path, data) as part:
        if path.exists():
            part.chmod(path.stat().st_mode & 0o7777)
        os.replace(part, path)
    return True


@contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """The new content of a file, whole and on the disk beside it; what is left of it in the end is deleted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.name)
    part = part_of(path)
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Where the new content of a file is written until it is whole: a name that no other writer has, now or before."""
    return path.with_name(f".{path.name}.{os.getpid()}-{time.time_ns():x}-{next(_COUNT)}.part")


def sweep(folder: Path, name: str | None = None) -> None:
    """Delete the parts in a folder, not below it, whose writers were killed long ago: all, or those of one file."""
    now = time.time()
    for left in folder.glob(f".{glob.escape(name)}.*.part" if name else ".*.part"):
        with suppress(OSError):
            if abs(now - left.stat().st_mtime) > ABANDONED:
                left.unlink()


def sweep_below(folder: Path) -> None:
    """The same in each folder of a folder."""
    for inner in folder.glob("*/"):
        sweep(inner)


def write_new(path: Path, content: str) -> None:
    """Write a file that is not there yet, whole, also where somebody else is about to write it.

    Raises:
        FileExistsError: it is there.
        OSError: it cannot be written.
    """
    with _written(path, content.encode()) as part:
        # A link is made only where there is nothing; a move would replace what is there.
        os.link(part, path)
