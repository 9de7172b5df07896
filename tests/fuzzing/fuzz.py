"""Let a coverage-guided fuzzer look for text that breaks a promise: ``make fuzz``, or one target at a time.

    python tests/fuzzing/fuzz.py record --seconds 60
    python tests/fuzzing/fuzz.py --list

It begins with what the target is made to read and with the corpus. What breaks a promise is written to
``build/fuzzing/TARGET/``: mend what it shows, and move the file into ``tests/fuzzing/corpus/TARGET/``, where the tests
read it from then on. Needs atheris, which is there for Linux: ``python locks/manage.py install fuzz``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from targets import Target

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 2
"""Seconds that any one text may take."""


def main() -> None:
    """Read the command line, and fuzz until the time is up or a promise is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("target", nargs="?", help="one of --list")
    parser.add_argument("--seconds", type=int, default=60, help="how long to look (default: 60)")
    parser.add_argument("--list", action="store_true", help="print the targets, with what they promise")
    parser.add_argument("--known", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests/catalog"), str(ROOT / "tests/fuzzing")]
    if given.known:
        look(given.target, given.seconds, given.known)
        return
    from targets import TARGETS, seeds_and_corpus

    if given.list:
        for one in TARGETS.values():
            print(f"{one.name:12} {one.promise}")
        return
    if given.target not in TARGETS:
        parser.error(f"no target {given.target!r}; there are: {', '.join(TARGETS)}")
    # The fuzzer ends its process at once, so that another one has to clear up: all that is written is in one folder,
    # in memory where the machine has a place for that.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fuzzing-", dir=memory if memory.is_dir() else None) as scratch:
        known = Path(scratch) / "known"
        known.mkdir()
        for number, seed in enumerate(seeds_and_corpus(given.target)):
            (known / f"{number:04}").write_bytes(seed)
        words = [given.target, "--seconds", str(given.seconds), "--known", str(known)]
        sys.exit(subprocess.run([sys.executable, __file__, *words], env={**os.environ, "TMPDIR": scratch}).returncode)


def look(name: str, seconds: int, known: Path) -> None:
    """Fuzz, beginning with the files of a folder; what takes too long is written down as what breaks a promise is."""
    try:
        import atheris
    except ModuleNotFoundError:
        sys.exit("atheris is not there. Install it with: python locks/manage.py install fuzz")
    with atheris.instrument_imports(include=["catalog", "reference_impls"], enable_loader_override=False):
        import targets
    broken = ROOT / "build/fuzzing" / name
    broken.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-timeout={LONGEST}", "-rss_limit_mb=4096", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={broken}/", str(known)], noting(targets.TARGETS[name]))
    atheris.Fuzz()


def noting(target: Target) -> Callable[[bytes], None]:
    """The target's promise; what breaks it is written down first."""

    def keep(data: bytes) -> None:
        try:
            target.keep(data)
        except BaseException:
            path = ROOT / "build/fuzzing" / target.name / hashlib.sha256(data).hexdigest()[:12]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            print(f"\nThis breaks a promise: {path.relative_to(ROOT)}", file=sys.stderr)
            raise

    return keep


if __name__ == "__main__":
    main()
