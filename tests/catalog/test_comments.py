"""What authors write beside a paper: words about acceptance and withdrawal are not facts about this paper."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.intake.sources.comments import venue_in_comment, withdrawal
from catalog.intake.sources.venues import in_words

ACCEPTED = {
    "Accepted at ICLR 2025": "ICLR 2025",
    "ICLR'25 camera-ready": "ICLR 2025",
    "EMNLP 2024 Findings": "Findings of EMNLP 2024",
    "15 pages. Accepted to EMNLP Findings 2024": "Findings of EMNLP 2024",
    "Accepted to ACL 2025 (Findings)": "Findings of ACL 2025",
    "Accepted at EMNLP 2024, Findings": "Findings of EMNLP 2024",
    "Accepted to NeurIPS 2024 Datasets and Benchmarks Track": "NeurIPS 2024 Datasets and Benchmarks",
    "Accepted by the ICLR 2024 Workshop on Secure and Trustworthy LLMs": (
        "ICLR 2024 Workshop on Secure and Trustworthy LLMs"
    ),
    "ICML 2025 Workshop on Machine Unlearning for Generative AI": (
        "ICML 2025 Workshop on Machine Unlearning for Generative AI"
    ),
    "Accepted at the 2nd Workshop on Regulatable ML @NeurIPS 2024": "NeurIPS 2024 Workshop on Regulatable ML",
    "Published in Transactions on Machine Learning Research (05/2024)": "TMLR 2024",
    "Accepted to ICLR 2025, an extended version of our NeurIPS 2024 workshop paper": "ICLR 2025",
    "Preliminary version appeared at an ICML 2024 workshop. Accepted at NeurIPS 2024": "NeurIPS 2024",
    "Accepted by AAAI-26": "AAAI 2026",
    "WWW '25": "WWW 2025",
    "Accepted to USENIX Security '25": "USENIX Security 2025",
    "CVPR2025 main": "CVPR 2025",
    "ICML 2025 Spotlight": "ICML 2025",
    "rejected from ICLR 2025, accepted to TMLR 2025": "TMLR 2025",
    "Accepted to ACL 2025 main conference. Code under review": "ACL 2025",
    "ICLR 2025; 30 pages": "ICLR 2025",
    "In Proceedings of ACL 2024": "ACL 2024",
    "CIKM '24, October 21-25, 2024, Boise, ID, USA": "CIKM 2024",
    "SemEval-2025 Task 4: system paper": "SemEval 2025",
}
NOT_ACCEPTED = (
    "ICLR 2025 submission",
    "Submitted to ICLR 2025",
    "To be submitted to ICML 2026",
    "ACL ARR 2025 February submission",
    "ACL Rolling Review, May 2025",
    "Under review at NAACL 2025",
    "ICLR 2026 under double-blind review",
    "ICLR 2025 (under review)",
    "ICLR 2025 (desk reject)",
    "NeurIPS 2024 (rejected)",
    "NeurIPS 2024 preprint",
    "ICML 2025 format, 20 pages",
    "Work in progress. ICLR 2025 template",
    "NeurIPS 2023 Machine Unlearning Challenge",
    "Winner of the NeurIPS 2023 unlearning competition",
    "We compare with the ICLR 2023 version of the benchmark",
    "Extended version of the paper accepted at AAAI 2025",
    "Withdrawn from ICLR 2025",
    "12 pages, 3 figures",
    "Accepted by some workshop",
    "TMLR",
)
WITHDRAWN = (
    "This paper has been withdrawn by the author due to an error",
    "This submission has been temporarily withdrawn pending approval",
    "The paper has been withdrawn by arXiv administrators",
    "arXiv admin note: This version has been withdrawn by arXiv administrators because of overlap",
    "Withdrawn",
    "Withdrawn due to errors in section 3",
    "12 pages. Retracted.",
    "Paper withdrawn: a bug in the code",
    "We withdraw this paper because of a mistake",
    "The authors have decided to withdraw this manuscript",
    "This article is retracted.",
)
SUBJECT_MATTER = (
    "When users withdraw consent, a deployed model must forget what it learned.",
    "We study retracted papers",
    "Retracted articles stay in training sets",
    "Data withdrawn by users; 12 pages",
    "20 pages; this paper is about consent that is withdrawn by users",
    "A model must forget withdrawn patient records.",
    "Users may have withdrawn this article from the web",
    "how models treat retracted science",
    "This paper was withdrawn from ICLR 2025",
    "Withdrawn from ICLR 2025",
)
NAMES = st.sampled_from(["ICLR", "NeurIPS", "ICML", "ACL", "EMNLP", "NAACL", "AAAI", "COLM", "KDD", "CVPR", "CCS"])
YEARS = st.integers(2019, 2029)
PAGES = st.sampled_from(["", "12 pages. ", "9 pages, 3 figures; ", "Code: https://github.com/a/b. "])


@pytest.mark.parametrize(("comment", "venue"), ACCEPTED.items())
def test_accepted(comment: str, venue: str) -> None:
    found = venue_in_comment(comment)
    assert found
    assert in_words(found) == venue


@pytest.mark.parametrize("comment", NOT_ACCEPTED)
def test_not_accepted(comment: str) -> None:
    assert venue_in_comment(comment) is None


@given(
    PAGES, NAMES, YEARS, st.sampled_from(["Accepted at {}", "Accepted to {} (poster)", "To appear in {}", "{} oral"])
)
def test_words_of_acceptance_make_a_venue(pages: str, name: str, year: int, form: str) -> None:
    found = venue_in_comment(pages + form.format(f"{name} {year}"))
    assert found
    assert (found.name, found.year, found.track) == (name, year, "")


PENDING = (
    "submitted to {}",
    "{} submission",
    "under review at {}",
    "{}, under review",
    "in submission to {}",
    "{} under single-blind review",
    "prepared for {} in its template",
    "{} preprint format",
    "from the {} challenge",
    "rejected by {}",
    "withdrawn from {}",
    "targeting {}",
    "resubmitted to {}",
)


@given(PAGES, NAMES, YEARS, st.sampled_from(PENDING))
def test_without_them_a_name_is_no_venue(pages: str, name: str, year: int, form: str) -> None:
    assert venue_in_comment(pages + form.format(f"{name} {year}")) is None


@given(NAMES, YEARS, NAMES, YEARS)
def test_another_version_of_the_paper_is_not_this_one(name: str, year: int, other: str, before: int) -> None:
    comment = f"Accepted to {name} {year}, an extended version of our {other} {before} workshop paper"
    found = venue_in_comment(comment)
    assert found
    assert (found.name, found.year, found.track) == (name, year, "")


@pytest.mark.parametrize("comment", WITHDRAWN)
def test_notices_of_withdrawal(comment: str) -> None:
    assert withdrawal(comment)


def test_a_notice_at_the_beginning_of_an_abstract_counts() -> None:
    assert withdrawal("", "This paper has been withdrawn by the authors. It was wrong.").startswith("This paper")
    assert withdrawal("", "We propose a method. This paper has been withdrawn by the authors.") == ""


@pytest.mark.parametrize("text", SUBJECT_MATTER)
def test_the_subject_of_a_paper_is_no_notice(text: str) -> None:
    assert withdrawal(text) == ""
    assert withdrawal("", text) == ""


THINGS = st.sampled_from(["consent", "data", "articles", "records", "permission", "licences", "training texts"])
SUBJECTS = (
    "Users withdraw {} at any time",
    "what happens to withdrawn {}",
    "retracted {} in pretraining corpora",
    "the right to have {} withdrawn from a model",
    "We evaluate models on {} that were retracted",
    "After {} are withdrawn, the model must forget",
)


@given(THINGS, st.sampled_from(SUBJECTS), st.sampled_from(["", "8 pages. ", "Accepted at ICLR 2025. "]))
def test_things_that_others_withdraw_do_not_withdraw_the_paper(thing: str, form: str, before: str) -> None:
    text = before + form.format(thing)
    assert withdrawal(text, text) == ""


@given(st.text(max_size=200))
def test_any_comment_is_read(comment: str) -> None:
    venue = venue_in_comment(comment)
    assert venue is None or venue.name
    said = " ".join(comment.split())
    assert " ".join(withdrawal(comment, comment).split()) in said
