"""Venues: terms to words, and ids and spellings of others to terms."""

from __future__ import annotations

import pytest

from catalog.model.paper import Venue
from catalog.model.venues import anthology_venue, appearance, edition, read_venue
from catalog.model.vocabulary import load_vocabularies

VOCABULARIES = load_vocabularies()


@pytest.mark.parametrize(
    ("venue", "label", "kind", "container"),
    [
        (
            Venue.model_construct(id="colm", year=2032),
            "COLM 2032",
            "conference",
            "Conference on Language Modeling (COLM 2032)",
        ),
        (
            Venue.model_construct(id="acl", year=2032, track="findings"),
            "Findings of ACL 2032",
            "conference",
            "Findings of the Association for Computational Linguistics: ACL 2032",
        ),
        (
            Venue.model_construct(id="cvpr", year=2032, track="findings"),
            "Findings of CVPR 2032",
            "conference",
            "Findings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR 2032)",
        ),
        (
            Venue.model_construct(id="acl", year=2032, track="demo"),
            "ACL 2032 System Demonstrations",
            "conference",
            "Annual Meeting of the Association for Computational Linguistics (ACL 2032), System Demonstrations",
        ),
        (
            Venue.model_construct(id="emnlp", year=2032, track="industry"),
            "EMNLP 2032 Industry Track",
            "conference",
            "Conference on Empirical Methods in Natural Language Processing (EMNLP 2032), Industry Track",
        ),
        (
            Venue.model_construct(id="icml", year=2032, track="mugen"),
            "ICML 2032 MUGen Workshop",
            "conference",
            "International Conference on Machine Learning (ICML 2032), "
            "Workshop on Machine Unlearning for Generative AI",
        ),
        (
            Venue.model_construct(id="tmlr", year=2032),
            "TMLR 2032",
            "journal",
            "Transactions on Machine Learning Research",
        ),
    ],
)
def test_in_words(venue: Venue, label: str, kind: str, container: str) -> None:
    found = appearance(venue, VOCABULARIES)
    assert (found.label, found.kind, found.container, found.year) == (label, kind, container, 2032)


@pytest.mark.parametrize("track", [None, *VOCABULARIES["track"].ids])
def test_workshops_are_an_edition_apart(track: str | None) -> None:
    venue = Venue.model_construct(id="icml", year=2032, track=track)
    label = appearance(venue, VOCABULARIES).label
    found = edition(venue, VOCABULARIES)
    if "Workshop" in label:
        assert (found.id, found.label) == ("icml-2032-workshops", "ICML 2032 workshops")
    else:
        assert (found.id, found.label) == (f"icml-2032-{track}" if track else "icml-2032", label)


@pytest.mark.parametrize(
    ("acl", "venue"),
    [
        ("2025.acl-long.740", ("acl", 2025, None)),
        ("2025.findings-acl.12", ("acl", 2025, "findings")),
        ("2026.acl-srw.100", ("acl", 2026, "student")),
        ("2026.acl-demo.2", ("acl", 2026, "demo")),
        ("2024.emnlp-industry.3", ("emnlp", 2024, "industry")),
        ("2023.findings-ijcnlp.25", ("ijcnlp-aacl", 2023, "findings")),
        ("2025.semeval-1.267", ("semeval", 2025, None)),
        ("2025.nowhere-1.2", None),
        ("P19-1001", None),
    ],
)
def test_the_anthology_s_ids(acl: str, venue: tuple[str, int, str | None] | None) -> None:
    found = anthology_venue(acl, VOCABULARIES)
    assert (found and (found.id, found.year, found.track)) == venue


@pytest.mark.parametrize(
    ("text", "venue"),
    [
        ("Findings of ACL 2025", ("acl", 2025, "findings")),
        ("Accepted at NeurIPS 2025 (Datasets and Benchmarks)", ("neurips", 2025, "datasets-and-benchmarks")),
        ("ICML 2025 Workshop on Machine Unlearning for Generative AI", ("icml", 2025, "mugen")),
        ("ICML 2024 workshop", ("icml", 2024, "workshop")),
        ("IEEE S&P 2021", ("ieee-sp", 2021, None)),
        ("Findings of CVPR 2026", ("cvpr", 2026, "findings")),
        ("ICSE 2026, Software Engineering in Practice", ("icse", 2026, "seip")),
        ("ICLR", None),
        ("a journal of 2025", None),
    ],
)
def test_what_people_write(text: str, venue: tuple[str, int, str | None] | None) -> None:
    found = read_venue(text, VOCABULARIES)
    assert (found and (found.id, found.year, found.track)) == venue


def test_every_venue_reads_its_own_words() -> None:
    for term in VOCABULARIES["venue"].terms:
        venue = Venue.model_construct(id=term.id, year=2032)
        assert read_venue(appearance(venue, VOCABULARIES).label, VOCABULARIES) == venue
    for track in VOCABULARIES["track"].terms:
        venue = Venue.model_construct(id="acl", year=2032, track=track.id)
        assert read_venue(appearance(venue, VOCABULARIES).label, VOCABULARIES) == venue
