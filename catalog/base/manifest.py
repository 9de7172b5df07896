"""Which files have changed since they were read last: by size and times where these can tell, by content where not.

A file is taken to be unchanged where its size, the times of its last change and its inode are as they were, *and* both
times were already past when it was read. A file that may have been changed in the same instant again is read again
(git calls it racy); so is everything where the clock stands before the time of the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

INSTANT = 2 * 10**9
"""Nanoseconds within which two changes may have one time: the coarsest file systems count two seconds."""
MAX_BYTES = 2**26
"""What is larger is known by its size and times alone."""


class Seen(NamedTuple):
    """A file as it was read: what the file system says about it (times in nanoseconds), and what it holds."""

    size: int
    modified: int
    changed: int
    inode: int
    mode: int
    digest: str
    """Of the content."""
    settled: bool
    """Whether its content is equal where all that the file system says is."""


class Manifest(NamedTuple):
    """Files by name, as they were at some time."""

    seen: Mapping[str, Seen]
    time: int
    """In nanoseconds."""
    new: bool = False
    """Whether it says other things than the one before."""


NONE = Manifest({}, 0)


def as_text(manifest: Manifest) -> str:
    """A manifest to be kept."""
    return json.dumps([manifest.time, manifest.seen], separators=(",", ":"))


def from_text(text: str) -> Manifest:
    """One that :func:`as_text` wrote; none where another version of it did."""
    try:
        then, seen = json.loads(text)
        return Manifest({name: Seen._make(fields) for name, fields in seen.items()}, int(then))
    except (ValueError, TypeError, AttributeError):
        return NONE


def digest_of(data: bytes) -> str:
    """A name for a content: equal for equal ones only."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def files_below(folder: str, *endings: str, links: bool = False) -> Iterator[tuple[str, os.stat_result]]:
    """Path and state of every file below a folder, sorted; what is hidden is left out.

    Whatever is read because a listing names it, is listed by this or by :func:`found`: so nothing can be read that no
    manifest has.

    Args:
        folder: where; nothing is found where it does not exist.
        endings: of the names; all names if none are given. With them, also what is no file but has such a name.
        links: whether a link stands for the file that it leads to, or for itself. Links to folders are not followed.
    """
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda member: member.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        folded = entry.is_dir(follow_symlinks=False)
        if entry.name.endswith(endings) if endings else not folded:
            state = _state(entry, links)
            if state is not None:
                yield entry.path, state
        if folded:
            yield from files_below(entry.path, *endings, links=links)


def _state(entry: os.DirEntry[str], links: bool) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=links)
    except OSError:
        try:
            return entry.stat(follow_symlinks=False)  # a link to nothing
        except OSError:  # gone since
            return None


def found(folder: Path, pattern: str) -> list[Path]:
    """What below a folder has a name by a pattern such as ``tasks/*/search.json``, sorted; listed as above."""
    first, _, rest = pattern.partition("/")
    try:
        with os.scandir(folder) as listing:
            entries = [entry for entry in listing if not entry.name.startswith(".") and fnmatchcase(entry.name, first)]
    except OSError:
        return []
    if not rest:
        return sorted(Path(entry.path) for entry in entries)
    inner = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted(path for within in inner for path in found(within, rest))


def look(files: Iterable[tuple[str, str, os.stat_result]], before: Manifest, now: int) -> Manifest:
    """How files are now.

    Args:
        files: name, path and state of each.
        before: how they were.
        now: the time in nanoseconds; in the past of ``before`` if the clock was set back.
    """
    set_back = before.time > now
    known = {} if set_back else before.seen
    seen: dict[str, Seen] = {}
    new = set_back
    for name, path, state in files:
        stamp = _stamp(state)
        old = known.get(name)
        if old is not None and old.settled and old[:5] == stamp:
            seen[name] = old
        else:
            settled = max(state.st_mtime_ns, state.st_ctime_ns) + INSTANT < now
            seen[name] = Seen(*stamp, _content(path, state), settled)
            new = new or seen[name] != before.seen.get(name)
    return Manifest(seen, now, new or len(seen) != len(before.seen))


def same_stamps(files: Iterable[tuple[str, str, os.stat_result]], manifest: Manifest) -> bool:
    """Whether nothing was changed since the manifest was made, as far as the file system tells."""
    return {name: _stamp(state) for name, _, state in files} == {name: seen[:5] for name, seen in manifest.seen.items()}


def _stamp(state: os.stat_result) -> tuple[int, int, int, int, int]:
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_mode


def _content(path: str, state: os.stat_result) -> str:
    """The digest of a plain file; of anything else, that it is none."""
    # What is no plain file, such as a pipe, might never end.
    if not stat.S_ISREG(state.st_mode):
        return f"no plain file: {state.st_mode:o}"
    if state.st_size > MAX_BYTES:
        return f"large: {_stamp(state)}"
    try:
        with open(path, "rb") as file:
            return digest_of(file.read())
    except OSError as error:
        return f"unreadable: {error.errno}"
