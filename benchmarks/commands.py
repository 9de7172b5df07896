"""How long the commands take: with nothing kept, with nothing changed, and after one record was changed.

    python benchmarks/commands.py 790 10000 --work /tmp/bench --out benchmarks/results/commands.json

For each number, records are generated. A command is run in a process of its own, its start included. *Cold* is once,
without what earlier runs kept; *unchanged* is the best of several; *one changed* follows upon a change of one summary,
which every command has to see. Seconds are wall clock and CPU (the process's own, user and system), memory is its
largest resident size. `python -c pass` and a loop of `yaml.safe_load` over all records are measured beside them: on a
machine that does other work, too, compare with these.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generated import write_checkout

from catalog.base.project import Project

CATALOG = (sys.executable, "-c", "from catalog.cli import main; main()")
NAIVE = """import pathlib, yaml
for path in pathlib.Path("papers").glob("*/*.yaml"):
    yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
"""
COMMANDS: dict[str, tuple[str, ...]] = {
    "validate": ("validate",),
    "build": ("build",),
    "search": ("search", "unlearning"),
    "search for an id": ("search", "2404.05868"),
    "show": ("show", "zhang2024negative"),
    "stats": ("stats",),
    "export bibtex": ("export", "bibtex"),
}
CHANGED = "papers/2024/zhang2024negative.yaml"
AGAIN = 5


def once(command: Sequence[str], folder: Path) -> dict[str, float]:
    """Seconds, CPU seconds and peak megabytes of a command that must succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}")
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
        "megabytes": round(used.ru_maxrss / 1024),
    }


def best(command: Sequence[str], folder: Path) -> dict[str, float]:
    """The run that took the least CPU."""
    return min((once(command, folder) for _ in range(AGAIN)), key=lambda run: run["cpu_seconds"])


def change(checkout: Path, turn: int) -> None:
    """Add a word to one record's summary, another one each time."""
    path = checkout / CHANGED
    before, begin, rest = path.read_text(encoding="utf-8").partition("summary: >-\n  ")
    path.write_text(f"{before}{begin}Turn{turn} {rest}", encoding="utf-8")


def measure(count: int, work: Path, names: Sequence[str]) -> dict[str, Any]:
    """All figures for one number of records."""
    checkout = work / f"checkout-{count}"
    shutil.rmtree(checkout, ignore_errors=True)
    write_checkout(Project.find(Path(__file__)), checkout, count)
    original = (checkout / CHANGED).read_bytes()
    found: dict[str, Any] = {
        "records": count,
        "python -c pass": best((sys.executable, "-c", "pass"), checkout),
        "safe_load of every record": once((sys.executable, "-c", NAIVE), checkout),
    }
    for turn, name in enumerate(names):
        command = (*CATALOG, *COMMANDS[name])
        shutil.rmtree(checkout / ".cache", ignore_errors=True)
        found[name] = {"cold": once(command, checkout)}
        once(command, checkout)  # what was written just now may be read again once
        found[name]["unchanged"] = best(command, checkout)
        change(checkout, turn)
        found[name]["one changed"] = once(command, checkout)
        (checkout / CHANGED).write_bytes(original)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("counts", nargs="+", type=int, metavar="COUNT", help="how many records")
    parser.add_argument("--work", type=Path, default=Path("build/bench"), help="where to make them")
    parser.add_argument("--only", nargs="+", choices=tuple(COMMANDS), help="these commands alone")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    before = os.getloadavg()[0]
    measured = [measure(count, given.work, given.only or tuple(COMMANDS)) for count in given.counts]
    machine = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
    }
    text = json.dumps({**machine, "measured": measured}, indent=2)
    print(text)
    if given.out:
        given.out.parent.mkdir(exist_ok=True)
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
