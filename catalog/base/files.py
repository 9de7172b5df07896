"""Files written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


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
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            part.chmod(path.stat().st_mode & 0o7777)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return True


def write_new(path: Path, content: str) -> None:
    """Write a file that is not there yet, whole, also where somebody else is about to write it.

    Raises:
        FileExistsError: it is there.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            file.write(content.encode())
            file.flush()
            os.fsync(file.fileno())
        # A link is made only where there is nothing; a move would replace what is there.
        os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
