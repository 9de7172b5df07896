"""A small checkout with invented people, papers and one method and task, to break in every way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.parsing.problems import Problem
from catalog.reading.load import load_catalog

REPOSITORY = Path(__file__).parents[2]

FADING = """\
title: "Fading Out: Gentle Forgetting for Small Models"
authors: [Åsa Lindqvist, Tomé van der Ávila, Grace Okonkwo, Ilse Brandt]
date: 2031-04
venue: {id: collas, year: 2032}
type: method
family: [gradient-ascent]
targets: [privacy]
datasets: [tofu]
links:
  arxiv: "3104.01234"
  code: https://example.org/lindqvist/fading
summary: >-
  Lets what is to be forgotten fade with every step, and stops before anything else does.
method:
  name: Fade
  mechanism: Turns the loss around and lowers its weight as it grows.
implementations:
  - {id: fade, relation: introduces}
provenance: {source: arxiv, checked: 2031-06-01}
"""
GARDENS = """\
title: "Gardens: A Benchmark of Invented Gardeners"
authors: [Grace Okonkwo, Béla Müller]
date: 2032-01-15
type: benchmark
also: [method]
family: [relabeling]
targets: [factual-knowledge]
datasets: [tofu, wmdp]
links:
  url: https://example.org/gardens
summary: Asks about gardeners who do not exist, some of whom have to be forgotten.
method:
  name: Weed
  builds_on: [fade]
implementations:
  - {id: gardens, relation: introduces}
  - {id: fade, relation: uses}
provenance: {source: web, checked: 2032-02-01}
"""
METHOD = '''\
r"""Fading out (Fade).

Turns the loss around, gently.

## Objective

$$ -w\\,L(\\mathcal D_f; \\theta) $$
"""

from reference_impls.toolkit.method import LossMethod, hyperparameter


class Fade(LossMethod):
    """Fade."""

    paper = "lindqvist2031fading"
    acts_on = "loss"

    weight: float = hyperparameter(0.5, "Weight of the turned loss.", source="Section 3", above=0)
'''
TASK = '''\
"""Invented gardeners (gardens).

Questions about gardeners.
"""


class GardensTask(Task):
    """Gardens."""

    paper = "okonkwo2032gardens"
    headline = "forget_probability"
'''


@dataclass
class Checkout:
    """The small checkout, with the ways to change it and to look at what follows."""

    root: Path

    @property
    def project(self) -> Project:
        return Project(self.root)

    @property
    def fading(self) -> Path:
        return self.root / "papers/2031/lindqvist2031fading.yaml"

    @property
    def gardens(self) -> Path:
        return self.root / "papers/2032/okonkwo2032gardens.yaml"

    def add(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def change(self, path: Path, old: str, new: str) -> None:
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def problems(self) -> list[Problem]:
        return load_catalog(self.project)[1]

    def catalog(self) -> Catalog:
        catalog, problems = load_catalog(self.project)
        assert catalog is not None, problems
        return catalog


def small_checkout(root: Path) -> Checkout:
    """A checkout with the small catalog's papers, method and task, and nothing else."""
    made = Checkout(root)
    made.add("papers/2031/lindqvist2031fading.yaml", FADING)
    made.add("papers/2032/okonkwo2032gardens.yaml", GARDENS)
    made.add("reference_impls/methods/gradient_ascent/fade.py", METHOD)
    made.add("reference_impls/tasks/gardens/__init__.py", TASK)
    return made


def small_checkout_with_pages(root: Path) -> Checkout:
    """The same, of which the site can be built; without the repository's reading paths and glossary: what they name is
    not there."""
    made = small_checkout(root)
    (root / "site").mkdir()
    parts = ("assets", "docs", "overrides", "mkdocs.yml", "package-lock.json", "node_modules")
    for name in ("templates", "CONTRIBUTING.md", *(f"site/{part}" for part in parts)):
        (root / name).symlink_to(REPOSITORY / name)
    return made
