"""A checkout with as many records as wanted: the real ones, and generated ones like them. The same bytes every time.

    python benchmarks/generated.py 10000 /tmp/checkout

Each generated record takes its tags, its venue and which links it has from a real one, so that facets are as they
are. Its words are drawn from the real titles and summaries, as often as those use them, mixed with invented words
and names: text keeps bringing new words, and an index of 10,000 records that lacks them would be too small.
"""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from catalog.base.project import Project
from catalog.base.text import slug

NEW_WORD = 0.025
"""Share of invented words never used before. With 10,000 records this gives about 17,000 words in titles and summaries:
4,500 in the 645 real records, growing with the square root of their number."""
OLD_WORD = 0.06
NEW_NAME = 0.3
"""Share of authors with a family name not seen before; gives about 17,000 at 10,000 records, from 3,000."""

_STARTS = "b br ch d dr f fl g gr h j k kr l m n p pr qu r s st t tr v w z zh".split()
_MIDDLES = "a ai e ei i ia o ou u".split()
_ENDS = "b ck d l lm m n nd ng r rn s st t tion x".split()


def write_checkout(source: Project, target: Path, count: int) -> Project:
    """Write a checkout with ``count`` records to ``target``, which must not be there yet.

    Everything but the records, and the built files, is copied.
    """
    left_out = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for name in ("templates", "site", "reference_impls", "papers"):
        shutil.copytree(source.root / name, target / name, ignore=left_out)
    shutil.copy(source.root / "CONTRIBUTING.md", target)
    for ident, record in generate(source, count):
        path = target / "papers" / record["date"][:4] / f"{ident}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(record, allow_unicode=True, sort_keys=False, width=100), encoding="utf-8")
    return Project(target)


def generate(source: Project, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Generated records with their ids, as many as are missing to make ``count`` with the real ones."""
    real = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(source.papers.rglob("*.yaml"))]
    taken = {path.stem for path in source.papers.rglob("*.yaml")}
    return _records(real, count - len(real), taken)


def _records(real: list[dict[str, Any]], count: int, taken: set[str]) -> list[tuple[str, dict[str, Any]]]:
    chance = random.Random(2024)
    texts = (f"{one['title']} {one.get('summary', '')} {one.get('method', {}).get('mechanism', '')}" for one in real)
    pool = [word.strip(",.:;") for text in texts for word in text.split() if _plain(word)]
    given = [name.split()[0] for one in real for name in one["authors"] if _plain(name)]
    family = [name.split()[-1] for one in real for name in one["authors"] if _plain(name)]
    invented = ["veldom"]
    found = []
    for number in range(count):
        model = chance.choice(real)
        authors = [_author(chance, given, family) for _ in range(min(len(model["authors"]), 12))]
        authors = list(dict.fromkeys(authors))
        title = " ".join(_word(chance, pool, invented) for _ in range(max(4, len(model["title"].split()))))
        year = int(str(model["date"])[:4])
        ident = (
            f"{slug(authors[0].split()[-1]).replace('-', '')}{year}{slug(title.split()[0]).replace('-', '') or 'x'}"[
                :60
            ]
        )
        while ident in taken:
            ident += "x"
        taken.add(ident)
        record = {
            key: model[key] for key in model if key not in ("method", "links", "summary", "state", "former_titles")
        }
        record |= {
            "title": title[0].upper() + title[1:],
            "authors": authors,
            "date": f"{year}-{1 + number % 10:02d}",
            "links": _links(model["links"], year, number),
            "provenance": {"source": "arxiv", "checked": "2026-11-23"},
        }
        if "summary" in model:
            words = (_word(chance, pool, invented) for _ in range(len(model["summary"].split())))
            record["summary"] = f"{' '.join(words)}."
        if "method" in model:
            record["method"] = {"name": f"{_syllables(chance).capitalize()}{number}"}
            if "mechanism" in model["method"]:
                words = (_word(chance, pool, invented) for _ in range(15))
                record["method"]["mechanism"] = f"{' '.join(words)}."
        record["implementations"] = [
            {"id": one["id"], "relation": "related"} if one["relation"] == "introduces" else one
            for one in model.get("implementations", [])
        ]
        found.append((ident, {key: value for key, value in record.items() if value not in ([], {})}))
    return found


def _plain(word: str) -> bool:
    return all(letter.isalnum() or letter in ",.:;- " for letter in word) and word.isascii() and word[0].isalpha()


def _syllables(chance: random.Random) -> str:
    return "".join(
        chance.choice(_STARTS) + chance.choice(_MIDDLES) + (chance.choice(_ENDS) if last else "")
        for last in [False] * chance.randint(0, 2) + [True]
    )


def _word(chance: random.Random, pool: list[str], invented: list[str]) -> str:
    draw = chance.random()
    if draw < NEW_WORD:
        invented.append(_syllables(chance))
        return invented[-1]
    return chance.choice(invented) if draw < NEW_WORD + OLD_WORD else chance.choice(pool)


def _author(chance: random.Random, given: list[str], family: list[str]) -> str:
    if chance.random() < NEW_NAME:
        family.append(_syllables(chance).capitalize())
        return f"{chance.choice(given)} {family[-1]}"
    return f"{chance.choice(given)} {chance.choice(family)}"


def _links(model: dict[str, str], year: int, number: int) -> dict[str, str]:
    """Links of the same kinds to places that nobody has."""
    # The month is the number's last digit, and what is before it counts down from where arXiv has not been yet.
    links = {"arxiv": f"{year % 100:02d}{1 + number % 10:02d}.{99_999 - number // 10:05d}"}
    if "code" in model:
        links["code"] = f"https://example.org/code/{number}"
    return links


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[1].isdigit():
        sys.exit("usage: python benchmarks/generated.py COUNT DIR")
    made = write_checkout(Project.find(), Path(sys.argv[2]), int(sys.argv[1]))
    print(f"{sum(1 for _ in made.papers.rglob('*.yaml'))} records in {made.root}")
