"""How long the site takes, beside Material alone on as many plain pages, in the same run.

    python benchmarks/build.py 650 10000 --work /tmp/bench --out benchmarks/results/build.json

For each number: records are generated, validated, turned into README, database and exports, and into the site; before
and after that Material builds plain pages (the Markdown below), one a record, and then one for each page of the site.
Seconds are wall clock and CPU (of the process and its children): on a machine that does other work, too, compare
CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from generated import write_checkout

from catalog.base.project import Project

PLAIN = """# {title}

{text}

| Field | Value |
|---|---|
| Number | {number} |
| Before | [page {before}](page-{before}.md) |
| After | [page {after}](page-{after}.md) |

```python
def loss(model, batch, beta={number}):
    return -(2 / beta) * logsigmoid(-beta * (model.log_prob(batch) - batch.reference)).mean()
```

```bibtex
@article{{page{number},
  title = {{{title}}},
  year = {{2024}},
}}
```

{text}
"""
PLAIN_CONFIG = """site_name: Plain pages
docs_dir: docs
site_dir: site
use_directory_urls: false
theme: {name: material, font: false}
plugins: []
markdown_extensions:
  - admonition
  - attr_list
  - def_list
  - sane_lists
  - tables
  - toc: {permalink: true, toc_depth: 3}
  - pymdownx.highlight: {anchor_linenums: false, pygments_lang_class: true}
  - pymdownx.superfences
nav: [index.md]
not_in_nav: "/page-*"
"""
SENTENCE = (
    "A method that lowers the probability of what is to be forgotten while the rest of what a model knows stays. "
)


def timed(command: Sequence[str], folder: Path) -> dict[str, float]:
    """Wall-clock and CPU seconds of a command that must succeed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2)}


def plain_pages(folder: Path, count: int) -> None:
    """Write ``count`` plain pages, and an index of them, for Material alone."""
    docs = folder / "docs"
    docs.mkdir(parents=True)
    (folder / "mkdocs.yml").write_text(PLAIN_CONFIG)
    for number in range(count):
        names = {"number": number, "before": max(number - 1, 0), "after": min(number + 1, count - 1)}
        text = PLAIN.format(title=f"Page {number} of what is plain", text=SENTENCE * 8, **names)
        (docs / f"page-{number}.md").write_text(text)
    rows = "\n".join(f"| [Page {number}](page-{number}.md) | {number} |" for number in range(count))
    (docs / "index.md").write_text(f"# Plain pages\n\n| Page | Number |\n|---|---|\n{rows}\n")


def size(folder: Path) -> float:
    """Megabytes below a folder."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1)


def material(work: Path, name: str, count: int) -> dict[str, float]:
    """Seconds of Material alone for ``count`` plain pages."""
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    plain_pages(folder, count)
    return timed([sys.executable, "-m", "mkdocs", "build", "-q"], folder)


def measure(count: int, work: Path) -> dict[str, Any]:
    """All figures for one number of records; the site stays in ``work/checkout-<count>/build/site``."""
    checkout, plain = work / f"checkout-{count}", f"plain-{count}"
    shutil.rmtree(checkout, ignore_errors=True)
    write_checkout(Project.find(Path(__file__)), checkout, count)
    catalog = [sys.executable, "-c", "from catalog.cli import main; main()"]

    def cold(*words: str) -> dict[str, float]:
        shutil.rmtree(checkout / ".cache", ignore_errors=True)
        return timed([*catalog, *words], checkout)

    found: dict[str, Any] = {
        "records": count,
        "validate": cold("validate"),
        "README, database, exports": cold("build"),
        "Material alone": material(work, plain, count),
        "site": cold("site", "build"),
        "Material alone, again": material(work, plain, count),
    }
    found["pages"] = sum(1 for _ in (checkout / "build" / "site").rglob("*.html"))
    found["Material alone, as many pages"] = material(work, plain, found["pages"])
    alone = (found["Material alone"]["cpu_seconds"] + found["Material alone, again"]["cpu_seconds"]) / 2
    found["site / Material alone, CPU"] = round(found["site"]["cpu_seconds"] / alone, 2)
    alike = found["Material alone, as many pages"]["cpu_seconds"]
    found["site / Material alone, as many pages, CPU"] = round(found["site"]["cpu_seconds"] / alike, 2)
    found["megabytes"] = size(checkout / "build" / "site")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("counts", nargs="+", type=int, metavar="COUNT")
    parser.add_argument("--work", type=Path, default=Path("build/benchmarks"), help="a folder for checkouts and sites")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    os.environ |= {"NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "ignore", "SOURCE_DATE_EPOCH": "1700000000"}
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    figures = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("mkdocs", "mkdocs-material", "Markdown", "Jinja2", "pydantic")},
        "measured": [measure(count, work) for count in given.counts],
    }
    text = json.dumps(figures, indent=2)
    print(text)
    if given.out:
        given.out.parent.mkdir(exist_ok=True)
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
