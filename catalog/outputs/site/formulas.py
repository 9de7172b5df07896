r"""Formulas: LaTeX to MathML while the site is built, so that reading one needs neither a script nor a network.

latex2mathml does the parsing; what it leaves rough is put right on the tree: upright words are one identifier
instead of a row of letters, function names get the space that TeX gives them, and ``\sim`` is an operator.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from xml.etree import ElementTree

from latex2mathml.converter import convert

_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_THIN_SPACE = "0.1667em"
_UNKNOWN_TO_CONVERTER = re.compile(r"\\(arg|sign|sgn|softmax|argmax|argmin)(?![A-Za-z])")
_TEXT = re.compile(r"\\(?:text[a-z]*|[mhf]box)\s*\{")
_KEPT = {"<": "\ue000", ">": "\ue001", "&": "\ue002"}
"""What stands for markup in words until the converter is done, which would write it as it is."""
_BACK = {ord(stand_in): sign for sign, stand_in in _KEPT.items()}
_BARS = frozenset("|‖")
_SIZED = {
    "\\{": "{",
    "\\}": "}",
    "\\|": "‖",
    "\\lVert": "‖",
    "\\rVert": "‖",
    "\\lvert": "|",
    "\\rvert": "|",
    "\\lt": "<",
    "\\gt": ">",
}
r"""What the converter leaves behind ``\Big`` and its like as it was written."""
_OPENING = frozenset("([{|⟨⌊⌈‖")
_CLOSING = frozenset(")]}|⟩⌋⌉‖!")
_STYLES = {"script": "SCRIPT", "double-struck": "DOUBLE-STRUCK", "bold": "BOLD", "fraktur": "FRAKTUR"}
_LIMITS = ("min", "max", "sup", "inf", "lim", "argmin", "argmax")


class FormulaError(ValueError):
    """A formula that cannot be typeset; the message shows it."""


@lru_cache(maxsize=4096)
def to_mathml(latex: str, *, display: bool = False) -> str:
    """One line of MathML that Markdown passes through untouched; kept, for a formula stands on several pages.

    Raises:
        FormulaError: a command is unknown or a brace is missing.
    """
    source = " ".join(latex.split())
    known = _UNKNOWN_TO_CONVERTER.sub(r"\\operatorname{\1}", _without_markup(source))
    try:
        root = ElementTree.fromstring(convert(known, display="block" if display else "inline"))
    except Exception as error:  # the converter has no common base class for what it raises
        raise FormulaError(f"cannot typeset the formula {source!r}: {type(error).__name__} {error}".strip()) from error
    for element in root.iter():
        element.tag = element.tag.removeprefix(_NAMESPACE)
    for element in root.iter():
        element.text = _SIZED.get(element.text or "", element.text)
        element.text = element.text.translate(_BACK) if element.text else element.text
        if "\\" in (element.text or ""):
            raise FormulaError(
                f"cannot typeset {element.text!r} in the formula {source!r}; write it with other commands"
            )
    _choose_letters(root)
    _join_words(root)
    _mend_operators(root, display)
    _space_functions(root)
    root.set("alttext", source)
    return "".join(_serialize(root))


def _without_markup(source: str) -> str:
    r"""The formula with nothing that XML would take for markup: ``\lt`` and ``\gt``, and stand-ins in words."""
    made, here = [], 0
    while here < len(source):
        if words := _TEXT.match(source, here):
            end = _closing(source, words.end())
            inside = source[words.end() : end].replace("\\&", "&")
            made.append(words[0] + "".join(_KEPT.get(character, character) for character in inside))
            here = end
        else:
            made.append({"<": r"\lt ", ">": r"\gt "}.get(source[here], source[here]))
            here += 1
    return "".join(made)


def _closing(source: str, start: int) -> int:
    """Where the group ends that is open at a place: at its brace, or with the formula where that is missing."""
    depth = 1
    for place in range(start, len(source)):
        escaped = source[place - 1] == "\\"
        depth += 0 if escaped else {"{": 1, "}": -1}.get(source[place], 0)
        if depth == 0:
            return place
    return len(source)


def _choose_letters(root: ElementTree.Element) -> None:
    r"""``\mathcal L``: the letter ℒ itself, for browsers know no ``mathvariant`` but ``normal``."""
    for element in root.iter():
        style = _STYLES.get(element.get("mathvariant", ""))
        if style and element.text:
            element.text = "".join(_letter(style, letter) for letter in element.text)
            del element.attrib["mathvariant"]


def _letter(style: str, letter: str) -> str:
    case = "CAPITAL" if letter.isupper() else "SMALL"
    # Some letters, such as ℒ and ℝ, had their place in Unicode before the mathematical alphabets came.
    for name in (f"MATHEMATICAL {style} {case} {letter.upper()}", f"{style} {case} {letter.upper()}"):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return letter


def _join_words(parent: ElementTree.Element) -> None:
    r"""``\mathrm{NPO}``: one upright identifier, not three with the gaps of a product."""
    for child in parent:
        _join_words(child)
    letters = list(parent)
    if (
        parent.tag == "mrow"
        and len(letters) > 1
        and all(letter.tag in ("mi", "mn") and letter.get("mathvariant") == "normal" for letter in letters)
    ):
        for letter in letters:
            parent.remove(letter)
        word = ElementTree.SubElement(parent, "mi", {"mathvariant": "normal"})
        word.text = "".join(letter.text or "" for letter in letters)


def _mend_operators(root: ElementTree.Element, display: bool) -> None:
    for parent in list(root.iter()):
        before: ElementTree.Element | None = None
        for here in parent:
            text = here.text or ""
            if here.tag == "mi" and text == "~":
                here.tag, here.text = "mo", "∼"
                here.attrib.clear()
            elif here.tag == "mo" and text.isalpha():
                here.set("lspace", "0")
                here.set("rspace", _THIN_SPACE)
            elif here.tag == "mo" and text in _BARS:
                here.attrib.setdefault("stretchy", "false")  # TeX's bars grow where they are told to, in pairs
            elif here.tag == "mo" and text in "−+-±" and (before is None or _is_operator(before)):
                here.set("form", "prefix")
            if display and here.tag == "msub" and here[0].text in _LIMITS:
                here.tag = "munder"
            before = here


def _is_operator(element: ElementTree.Element) -> bool:
    return element.tag == "mo" and (element.text or "") not in _CLOSING


def _space_functions(parent: ElementTree.Element) -> None:
    """Thin spaces around ``log``, ``max`` and their like, but not before an opening parenthesis."""
    for child in parent:
        _space_functions(child)
    children = list(parent)
    if parent.tag not in ("math", "mrow", "mstyle", "mtd"):
        return
    spaced: list[ElementTree.Element] = []
    for index, here in enumerate(children):
        before = children[index - 1] if index else None
        after = children[index + 1] if index + 1 < len(children) else None
        if _is_function(here) and before is not None and _is_operand(before):
            spaced.append(_space())
        spaced.append(here)
        if _is_function(here) and after is not None and (after.text or "") not in _OPENING and after.tag != "mspace":
            spaced.append(_space())
    parent[:] = spaced


def _is_function(element: ElementTree.Element) -> bool:
    base = element[0] if element.tag in ("msub", "msup", "munder", "msubsup") and len(element) else element
    return (
        base.tag == "mi"
        and len(base.text or "") > 1
        and base.get("mathvariant") is None
        and (base.text or "").isalpha()
    )


def _is_operand(element: ElementTree.Element) -> bool:
    return element.tag in ("mi", "mn", "msub", "msup", "msubsup", "mfrac") and not _is_function(element)


def _space() -> ElementTree.Element:
    return ElementTree.Element("mspace", {"width": _THIN_SPACE})


def _serialize(element: ElementTree.Element) -> Iterator[str]:
    attributes = "".join(f' {name}="{_inert(value)}"' for name, value in element.attrib.items())
    yield f"<{element.tag}{attributes}>"
    if len(element) == 0:
        yield _inert(element.text or "")
    for child in element:
        yield from _serialize(child)
    yield f"</{element.tag}>"


def _inert(text: str) -> str:
    """Escaped for HTML, and every other character that Markdown might act upon as a numeric reference."""
    return re.sub(r"[^\w\s.,;&#]", lambda match: f"&#{ord(match[0])};", html.escape(text)).replace("_", "&#95;")
