r"""Formulas in a terminal: LaTeX as Unicode where that says the same, else as it is written.

``pylatexenc`` knows the signs. What it writes ambiguously (fractions, exponents of several signs) is put in parentheses
here, and a formula with a command that it does not know stays LaTeX, so that nothing of it gets lost.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$(?!\s)([^$]+?)(?<!\s)\$", re.DOTALL)
_LOW = str.maketrans("0123456789+-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ")
_HIGH = str.maketrans("0123456789+-=()abcdefghijklmnoprstuvwxyzT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ")
_ARGUMENT = r"((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)"
_SIZES = r"\\(?:left|right|middle|mathbin|[bB]igg?[lr]?|displaystyle|textstyle|limits|nolimits)(?![A-Za-z])"
_SPACES = r"\\(?:[,;:!]|quad(?![A-Za-z])|qquad(?![A-Za-z]))"
_WORDS = r"\\(?:text|mathrm|operatorname\*?|mathbf|boldsymbol|mathit|mathsf|texttt|mathtt)\s*\{([^{}]*)\}"
_AFTER_SIGN = re.compile(
    r"\\((?!math|hat|tilde|bar|widetilde|widehat|overline|sqrt|vec|dot|text|operatorname|in\b)[A-Za-z]+)"
    r"(?:(?=[^\x00-\x7f])|(?=\s+[A-Za-z\\(‖|]))"
)
"""A sign whose name would run into what follows, or swallow the space before it."""
_FRACTION = re.compile(rf"\\[dt]?frac\s*\{{{_ARGUMENT}\}}\s*\{{{_ARGUMENT}\}}")
_SHORT_FRACTION = re.compile(r"\\[dt]?frac\s*([0-9A-Za-z])\s*([0-9A-Za-z])")
_SCRIPT = re.compile(rf"([_^])(?:\{{{_ARGUMENT}\}}|(\\[A-Za-z]+|[^\s{{}}\\]))")


def readable(markdown: str) -> str:
    """Markdown with every formula in it as code: in Unicode, or in LaTeX where there is no Unicode for it."""

    def shown(match: re.Match[str]) -> str:
        if match[1] is None:
            return f"`{in_unicode(match[2])}`"
        lines = [in_unicode(line) for line in match[1].strip().split("\\\\")]
        return "\n```text\n" + "\n".join(lines) + "\n```\n"

    return _FORMULA.sub(shown, markdown)


def in_unicode(latex: str) -> str:
    r"""A formula in Unicode, or as it is.

    >>> in_unicode(r"\\mathcal L(\\theta) = \\frac{1}{|y|}\\, \\log p_\\theta(y \\mid x)")
    'ℒ(θ) = 1/|y| log p_θ(y ∣ x)'
    """
    source = " ".join(latex.split())
    plain = re.sub(_SPACES, " ", re.sub(_SIZES, "", source))
    plain = re.sub(r"\\ne(?![A-Za-z])", r"\\neq", re.sub(r"\\arg(?![A-Za-z])", "arg ", plain))
    plain = re.sub(_WORDS, r"{\1}", plain)
    plain = _repeated(_FRACTION, lambda match: f"{_grouped(match[1])}/{_grouped(match[2])}", plain)
    plain = _SHORT_FRACTION.sub(r"\1/\2", plain)
    plain = _repeated(_SCRIPT, _script, plain)
    plain = _AFTER_SIGN.sub(r"\\\1{}", re.sub(r"\\\||\\[lr]?Vert(?![A-Za-z])", "‖", plain))
    if "\\begin" in plain or any(name not in _known() for name in re.findall(r"\\([A-Za-z]+)", plain)):
        return source
    try:
        text = str(_converter().latex_to_text(plain.replace("%", r"\%").replace("&", " ")))
    except Exception:
        # The library raises whatever its parser stumbles over.
        return source
    return " ".join(text.replace("\N{FULLWIDTH LOW LINE}", "_").replace("\N{FULLWIDTH CIRCUMFLEX ACCENT}", "^").split())


def _repeated(pattern: re.Pattern[str], replacement: Any, text: str) -> str:
    """A replacement inside out, as long as there is something to replace."""
    for _ in range(8):
        once = pattern.sub(replacement, text)
        if once == text:
            break
        text = once
    return text


def _grouped(part: str) -> str:
    """A part of a fraction, in parentheses unless it is one thing."""
    atom = re.fullmatch(r"\s*(?:[A-Za-z0-9.]+|\\[A-Za-z]+|\|[^|+]*\||[A-Za-z]\([^()]*\))(?:[_^₀-₉]\S*)?\s*", part)
    return part.strip() if atom else f"({part.strip()})"


def _script(match: re.Match[str]) -> str:
    """Low or high signs where there are such; else ``_`` and ``^`` written so that the converter leaves them alone."""
    content = (match[2] if match[2] is not None else match[3]).strip()
    table, sign = (_LOW, "\N{FULLWIDTH LOW LINE}") if match[1] == "_" else (_HIGH, "\N{FULLWIDTH CIRCUMFLEX ACCENT}")
    if content and all(ord(letter) in table for letter in content):
        return content.translate(table) + " " * content[-1:].isspace()
    atom = re.fullmatch(r"\\[A-Za-z]+|\S", content)
    return f"{sign}{content} " if atom and content.startswith("\\") else f"{sign}{content if atom else f'({content})'}"


@cache
def _known() -> frozenset[str]:
    from pylatexenc.latex2text import get_default_latex_context_db

    return frozenset(spec.macroname for spec in get_default_latex_context_db().iter_macro_specs())


@cache
def _converter() -> Any:
    from pylatexenc.latex2text import LatexNodes2Text

    return LatexNodes2Text(math_mode="text", strict_latex_spaces=False)
