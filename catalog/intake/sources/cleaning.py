"""Text of other programs as the plain text that records hold: no letter of it gets lost on the way."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection

from catalog.base.text import fit
from catalog.intake.sources.latex import from_latex, looks_like_latex, lowered, raised, typography
from catalog.model.paper import TAG, plain_text

LONGEST = 50_000
"""Signs of a text that are read."""
_MARKUP = frozenset(
    """
    a abbr acronym address alternatives annotation annotation-xml article b bdi bdo bib big blockquote body bold
    boxed-text br caption center cite code col dd del dfn disp-formula div dl dt em ext-link fig fn font formula h1
    h2 h3 h4 h5 h6 head hr html i img inf inline-formula inline-graphic ins italic kbd label li link list list-item
    math mark merror mfenced mfrac mi mml mmultiscripts mn mo mover mpadded mphantom monospace mroot mrow ms mspace
    msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover nlm ol overline p pre q roman s samp
    sans-serif sc scp script sec section semantics small span strike strong styled-content sub sup svg table tbody td
    tex-math th thead title tr tt u ul underline var xref
    """.split()
)
"""Elements of HTML, MathML and JATS, whose tags are not part of a text."""
_APART = frozenset("br dd div dt h1 h2 h3 h4 h5 h6 hr li list-item p sec section td th title tr".split())
"""Elements that stand apart from the text around them."""
_TAG = re.compile(TAG)
_SCRIPTS = re.compile(r"<(?:\w+:)?(sub|sup|inf)\b[^<>]*>([^<>]{1,20})</(?:\w+:)?\1>", re.IGNORECASE)
_TWICE = re.compile(
    r"<(?:\w+:)?(tex-math|annotation(?:-xml)?|script)\b[^<>]*>.*?</(?:\w+:)?\1>", re.IGNORECASE | re.DOTALL
)
"""What says again, for other programs, what stands beside it."""
_ADDRESS = re.compile(r"(?:https?://|(?<![\w./-])(?:www\.)?github\.com/)[^\s,;<>\"'{}|\\^`)\]]+")
_FORGES = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")


def plain(text: str) -> str:
    r"""The text without HTML, LaTeX, invisible characters and surplus spaces.

    >>> plain(r"M{\"u}ller's  <i>na{\"\i}ve</i> $\beta$-test &amp; more")
    "Müller's naïve β-test & more"

    What remains that a record would refuse is written in other signs, so that the outcome is always plain text.
    """
    text = _without_tags(text[:LONGEST])
    # What was escaped is text, but some sources escape their markup, too: then it comes in pairs.
    text = _without_tags(_unescaped(text), pairs=True)
    if looks_like_latex(text):
        text = from_latex(text)
    text = typography(text)
    text = " ".join(fit(" ".join(text.split())).split())
    try:
        return plain_text(text)
    except ValueError:
        return _accepted(text)


def _unescaped(text: str) -> str:
    """Entities as signs; some sources escape twice."""
    for _ in range(3):
        once = html.unescape(text)
        if once == text:
            break
        text = once
    return text


def _without_tags(text: str, *, pairs: bool = False) -> str:
    if "<" not in text:
        return text
    if re.search(r"<(?:\w+:)?math\b", text, re.IGNORECASE):
        text = _TWICE.sub("", text)
    text = _SCRIPTS.sub(_script, text)
    closed = {_element(tag) for tag in _TAG.findall(text) if tag.startswith("</") or tag.endswith("/>")}
    return _TAG.sub(lambda tag: _replaced(tag, _MARKUP & closed if pairs else _MARKUP), text)


def _script(match: re.Match[str]) -> str:
    return raised(match[2]) if match[1].lower() == "sup" else lowered(match[2])


def _element(tag: str) -> str:
    """The name of a tag's element, without its namespace."""
    return re.split(r"[\s/>]", tag.lstrip("</"), maxsplit=1)[0].split(":")[-1].lower()


def _replaced(tag: re.Match[str], markup: Collection[str]) -> str:
    """Nothing for a tag; a space where a formula or a line begins or ends, within what would become one word."""
    name = _element(tag[0])
    if name not in markup:
        return f"⟨{tag[0][1:-1]}⟩"
    if name in _APART:
        return " "
    beside = tag.end() if tag[0].startswith("</") else tag.start() - 1
    return " " if name == "math" and tag.string[max(0, beside) : beside + 1].isalnum() else ""


def _accepted(text: str) -> str:
    """The text with all its letters; signs of Markdown and LaTeX are written otherwise, or dropped."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^(?:[#>]+ )+", "", text)
    text = re.sub(r"&(#?\w+);", r"& \1;", text)
    text = " ".join(re.sub(r"[{}\\`]|\*\*", "", text).replace("<", "⟨").replace("$", "＄").split())
    try:
        return plain_text(text)
    except ValueError:
        return " ".join(fit("".join(sign for sign in text if _harmless(sign))).split())


def _harmless(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign)[0] in "LNM" or sign in ".,;:!?'\"()-–—/%+="


def artefacts(text: str) -> dict[str, str]:
    """The first address of code, data and project page that a text names, by the keys of a record's ``links``."""
    links: dict[str, str] = {}
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(".:!?*_'’”")
        if not address.startswith("http"):
            address = f"https://{address}"
        host, _, path = re.sub(r"^https?://(www\.)?", "", address).partition("/")
        if host in _FORGES and path.count("/") >= 1:
            links.setdefault("code", re.sub(r"\.git$", "", address))
        elif host == "huggingface.co" and path.startswith("datasets/"):
            links.setdefault("data", address)
        elif host.endswith((".github.io", ".gitlab.io")):
            links.setdefault("project", address)
    return links
