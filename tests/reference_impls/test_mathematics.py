"""Formulas in a terminal: nothing of them gets lost, and no sign appears that is not in them."""

from __future__ import annotations

import re

import pytest

from reference_impls.commands.mathematics import in_unicode, readable
from reference_impls.running.registry import implementations

FORMULAS = [
    latex
    for one in implementations().values()
    for pair in re.findall(
        r"\$\$(.+?)\$\$|(?<![\\$])\$(?!\s)([^$]+?)(?<!\s)\$", f"{one.summary}\n\n{one.body}", re.DOTALL
    )
    for latex in pair
    if latex
]


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\mathcal L(\theta) = \frac{1}{|y|}\, \log p_\theta(y \mid x)", "ℒ(θ) = 1/|y| log p_θ (y | x)"),
        (r"\sum_{t=1}^{T} x_t^2 \le \beta\!\left( \tfrac12 \right)", "∑ₜ₌₁ᵀ xₜ² ≤ β ( 1/2 )"),
        (r"\frac{a+b}{c}", "(a+b)/c"),
        (r"e^{-\lambda t}", "e^(-λ t)"),
        (r"\|\delta\|_2", "‖δ‖₂"),
        (r"\unknowncommand{x} + y", r"\unknowncommand{x} + y"),
    ],
)
def test_formulas(latex: str, text: str) -> None:
    assert in_unicode(latex) == text


def test_no_formula_of_the_methods_loses_a_letter_or_gains_a_sign() -> None:
    assert len(FORMULAS) > 300
    wrong = []
    for latex in FORMULAS:
        text = in_unicode(latex)
        if text == " ".join(latex.split()):
            continue
        spaces = len(re.findall(r"\\[,;:!]", latex))
        signs = sum(latex.count(sign) for sign in ",;:!") - spaces
        if sum(text.count(sign) for sign in ",;:!") != signs or "\\" in text:
            wrong.append((latex, text))
        capitals = re.findall(r"(?<![A-Za-z\\])[A-Z](?![A-Za-z])", re.sub(r"\\math\w+\s*(?:\{.*?\}|\S)", "", latex))
        if any(text.count(letter) < capitals.count(letter) for letter in set(capitals) - set("ABDEGHIJKLMNOPRTUVW")):
            wrong.append((latex, text))
    assert wrong == []


def test_most_formulas_are_read_as_unicode() -> None:
    left = [latex for latex in FORMULAS if "\\" in in_unicode(latex)]
    assert len(left) < 0.05 * len(FORMULAS), left


def test_formulas_become_code_and_other_text_stays() -> None:
    assert readable("It costs $5, with $\\beta$ and\n\n$$ a \\\\ b $$\n") == (
        "It costs $5, with `β` and\n\n\n```text\na\nb\n```\n\n"
    )
