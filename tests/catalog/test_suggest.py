"""Suggested tags: from which phrases, and how often they are right."""

from __future__ import annotations

import pytest
from small_checkout import REPOSITORY

from catalog.base.project import Project
from catalog.intake.suggest import FIELDS, Cues, read_cues, suggest
from catalog.model.vocabulary import Vocabularies, load_vocabularies
from catalog.reading.load import load_catalog

PROJECT = Project(REPOSITORY)


@pytest.fixture(scope="module")
def vocabularies() -> Vocabularies:
    return load_vocabularies()


@pytest.fixture(scope="module")
def cues() -> Cues:
    found, problems = read_cues(PROJECT.vocabularies, PROJECT.root)
    assert not problems
    return found


def test_cues_are_of_terms_that_exist(cues: Cues, vocabularies: Vocabularies) -> None:
    assert set(cues.phrases) == set(FIELDS.values()) - {"dataset"}
    for name, phrases in cues.phrases.items():
        assert set(phrases) <= set(vocabularies[name])
        assert all(isinstance(one, str) and one for given in phrases.values() for one in given)


def test_every_suggestion_says_why(cues: Cues, vocabularies: Vocabularies) -> None:
    title = "Moonlit: Private Unlearning by Preference Optimization"
    abstract = (
        "We propose Moonlit, which beats NPO on TOFU, WMDP-Bio and MUSE-News while the muse is silent; private "
        "information and copyrighted text vanish, also after quantization."
    )
    found = {(one.field, one.term): one.reason for one in suggest(title, abstract, vocabularies, cues)}
    assert found[("type", "method")] == '"we propose" in the abstract'
    assert found[("family", "preference-optimization")].startswith('"Preference optimization" in the title')
    assert found[("datasets", "tofu")] == '"TOFU" in the abstract'
    assert found[("datasets", "wmdp")] == '"WMDP-Bio" in the abstract'
    assert found[("datasets", "muse")] == '"MUSE-News" in the abstract'
    assert ("targets", "privacy") in found
    assert ("targets", "copyright") in found
    assert ("settings", "quantization") in found
    assert suggest(title, abstract, vocabularies, cues) == suggest(title, abstract, vocabularies, cues)


@pytest.mark.parametrize(
    ("title", "abstract", "field", "terms"),
    [
        ("A Survey of Unlearning Methods", "We review attacks, and gradient ascent.", "type", ["survey"]),
        ("A Survey of Unlearning Methods", "We review attacks, and gradient ascent.", "family", []),
        ("MMLU-Pro and R-TOFU", "", "datasets", ["r-tofu", "mmlu-pro"]),
        ("The muse and the math", "a blur of dusk", "datasets", []),
        ("Unlearning in Multimodal Large Language Models", "", "modalities", ["vision-language"]),
        ("", "", "type", []),
    ],
)
def test_rules(title: str, abstract: str, field: str, terms: list[str], cues: Cues, vocabularies: Vocabularies) -> None:
    assert [one.term for one in suggest(title, abstract, vocabularies, cues) if one.field == field] == terms


def test_they_are_right_more_often_than_not(cues: Cues, vocabularies: Vocabularies) -> None:
    """Against the records, whose summaries say less than the abstracts that the rules are made for."""
    catalog, _ = load_catalog(PROJECT)
    assert catalog
    said = {paper.id: suggest(paper.title, paper.summary or "", vocabularies, cues) for paper in catalog.papers}
    for field in ("type", "family", "targets", "datasets"):
        right = total = 0
        for paper in catalog.papers:
            meant = paper.contributions if field == "type" else getattr(paper, field)
            got = {one.term for one in said[paper.id] if one.field == field}
            right += len(got & set(meant))
            total += len(got)
        assert right / total > 0.7, f"{field}: {right} of {total}"
