r"""LaTeX in titles, names and abstracts as plain Unicode: one conversion for every source.

The work is done by ``pylatexenc``. What it would drop is added here: a macro that it does not know keeps its argument
(``\texttt{SEMU}``), or its own name (``\method``), since names of methods are what stands in such macros.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any

from catalog.model.paper import MATH

if TYPE_CHECKING:
    from pylatexenc.latex2text import LatexNodes2Text

_LATEX = re.compile(rf"[\\{{}}]|{MATH}")
_MATH = re.compile(MATH)
_KEPT = "texttt textsf textmd textup textnormal textrm textsl textin mbox fbox hbox uppercase lowercase MakeLowercase"
"""Macros of one argument that is text."""
_DROPPED = {
    "footnote": "[{",
    "thanks": "{",
    "footnotemark": "[",
    "vspace": "*{",
    "hspace": "*{",
    "color": "[{",
    "label": "{",
}
"""Macros that are not part of the text, with the form of their arguments."""
_LAST = {"href": "{{", "raisebox": "{[[{", "scalebox": "{[{", "resizebox": "{{{", "rotatebox": "[{{", "colorbox": "[{{"}
"""Macros of whose arguments the last is text."""
_VERBATIM = "url path nolinkurl"
_SIGNS = {
    "TeX": "TeX",
    "LaTeX": "LaTeX",
    "LaTeXe": "LaTeX2e",
    "BibTeX": "BibTeX",
    "textbackslash": "\\",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textunderscore": "_",
    "textdollar": "$",
    "slash": "/",
    "textbraceleft": "{",
    "textbraceright": "}",
    "textperiodcentered": "·",
}
_SILENT = """
bf it em tt sc sf rm sl bfseries itshape ttfamily scshape sffamily rmfamily slshape upshape mdseries normalfont
selectfont tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge centering boldmath unboldmath
displaystyle textstyle scriptstyle protect noindent limits nolimits left right big Big bigl bigr Bigl Bigr relax newline
linebreak
"""
"""Macros that change how things look, and say nothing."""
_CITATIONS = "cite citep citet citealp citeauthor ref eqref autoref cref"
_LOW = str.maketrans("0123456789+-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ")
_HIGH = str.maketrans(
    "0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVW",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂ",
)


def looks_like_latex(text: str) -> bool:
    """Whether a text has macros, braces or mathematics; ``$5 and $6`` has none."""
    return _LATEX.search(text) is not None


def from_latex(text: str) -> str:
    r"""The text without LaTeX; what cannot be parsed stays as it is.

    >>> from_latex(r"\texttt{SEMU}: M{\"u}ller's $R^2$")
    "SEMU: Müller's R²"
    """
    source = _outside_math(_quotes(text))
    source = re.sub(rf"{MATH}|\\ensuremath\{{[^{{}}]*\}}", lambda match: _scripts(match[0]), source)
    source = re.sub(r"\\xspace\b(\s*)", r"{}\1", source)
    source = re.sub(r"\\([A-Za-z]+)\*?(?:\s*\{\s*\}|(?:\s*\[[^\]]*\])+(?=\s*\{))?", _macro, source)
    try:
        converted = str(_decoder().latex_to_text(source))
    except Exception:
        # The library raises whatever its parser stumbles over; then the signs are dropped by the caller.
        return text
    if not converted.strip():
        return text
    return "".join(map(_letter, converted)).replace("\u2009", " ").replace("\xa0", " ")


def typography(text: str) -> str:
    """LaTeX's quotes, dashes and ties as those of print, in a text that may hold no other LaTeX."""
    text = re.sub(r"(?<=\w)~(?=\w)", " ", _quotes(text))
    text = re.sub(r"(?<=[^\s-])---(?=[^\s-])|(?<=\s)---(?=\s)", "—", text)
    return re.sub(r"(?<=[^\s-])--(?=[^\s-])|(?<=\s)--(?=\s)", "–", text)


def lowered(text: str) -> str:
    """Text set low (``2`` in H₂O), in signs that are low if there are such for all of it."""
    return text.translate(_LOW) if all(ord(sign) in _LOW for sign in text) else text


def raised(text: str) -> str:
    """Text set high (``2`` in R²), in signs that are high if there are such for all of it."""
    return text.translate(_HIGH) if all(ord(sign) in _HIGH for sign in text) else text


def _quotes(text: str) -> str:
    text = _double_quotes(text) if "``" in text else text
    return re.sub(r"(?<![\w\\`])`(?=[^\s`])([^`']{1,200}?)'(?!\w)", r"‘\1’", text)


def _double_quotes(text: str) -> str:
    """Pairs as quotes of print, also one within the other; what has no partner stays."""
    parts = re.split(r"(``|'')", text)
    opened: list[int] = []
    for index, part in enumerate(parts):
        if part == "``":
            opened.append(index)
        elif part == "''" and opened:
            parts[opened.pop()], parts[index] = "“", "”"
    return "".join(parts)


def _outside_math(text: str) -> str:
    """A bare percent sign is a sign to people, and a comment to LaTeX; likewise a dollar that opens nothing."""
    parts, end = [], 0
    for match in _MATH.finditer(text):
        parts += [_escaped(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, _escaped(text[end:])])


def _escaped(text: str) -> str:
    return re.sub(r"(?<!\\)([%#&$])", r"\\\1", text)


def _scripts(math: str) -> str:
    """Sub- and superscripts as signs, where there are signs for them: ``R^2`` -> ``R²``, ``x_{max}`` -> ``xₘₐₓ``."""

    def script(match: re.Match[str]) -> str:
        content = match[2] if match[2] is not None else match[3]
        moved = lowered(content) if match[1] == "_" else raised(content)
        return match[0] if moved == content else moved

    return re.sub(r"([_^])(?:\{([^{}\\]{1,20})\}|([^\s{}\\$]))", script, math)


def _macro(match: re.Match[str]) -> str:
    """A macro that nobody knows: gone if it has an argument, which stays; else its name is the word it stands for."""
    if match[1] in _known():
        return match[0]
    has_argument = not match[0].endswith("}") and match.string[match.end() :].lstrip().startswith("{")
    return "" if has_argument else match[1]


def _letter(sign: str) -> str:
    """Letters of mathematical alphabets as the letters that they are: 𝚏 -> f."""
    return unicodedata.normalize("NFKC", sign) if 0x1D400 <= ord(sign) <= 0x1D7FF else sign


@cache
def _known() -> frozenset[str]:
    """The macros that the converter has a rule for."""
    from pylatexenc.latex2text import get_default_latex_context_db as texts
    from pylatexenc.latexwalker import get_default_latex_context_db as forms

    names = {spec.macroname for db in (texts(), forms()) for spec in db.iter_macro_specs()}
    own = {*_KEPT.split(), *_DROPPED, *_LAST, *_VERBATIM.split(), *_SIGNS, *_CITATIONS.split(), *_SILENT.split()}
    return frozenset(names | own | {"textsuperscript", "textsubscript", "textcommabelow"})


@cache
def _decoder() -> _Decoder:
    from pylatexenc.latex2text import LatexNodes2Text, MacroTextSpec, get_default_latex_context_db
    from pylatexenc.latexwalker import get_default_latex_context_db as get_forms
    from pylatexenc.macrospec import std_macro

    def given(node: Any) -> list[Any]:
        return [part for part in (node.nodeargd.argnlist if node.nodeargd else ()) if part is not None]

    def argument(node: Any, l2tobj: Any, change: Any = str) -> str:
        return str(change("".join(l2tobj.nodelist_to_text([part]) for part in given(node)[-1:])))

    def arguments(node: Any, l2tobj: Any) -> str:
        texts = [part for part in given(node) if getattr(part, "delimiters", ("",))[0] != "["]
        return "".join(l2tobj.nodelist_to_text([part]) for part in texts)

    def verbatim(node: Any, l2tobj: Any) -> str:
        return re.sub(r"^\{|\}$", "", "".join(part.latex_verbatim() for part in given(node)))

    rules = [MacroTextSpec(name, simplify_repl=argument) for name in (*_KEPT.split(), *_LAST)]
    rules += [MacroTextSpec(name, simplify_repl="") for name in (*_DROPPED, *_CITATIONS.split(), *_SILENT.split())]
    rules += [MacroTextSpec(name, simplify_repl=verbatim) for name in _VERBATIM.split()]
    rules += [MacroTextSpec(name, simplify_repl=sign) for name, sign in _SIGNS.items()]
    rules += [
        MacroTextSpec("textsuperscript", simplify_repl=lambda node, l2tobj: argument(node, l2tobj, raised)),
        MacroTextSpec("textsubscript", simplify_repl=lambda node, l2tobj: argument(node, l2tobj, lowered)),
        MacroTextSpec("textcommabelow", simplify_repl=lambda node, l2tobj: _with_comma(argument(node, l2tobj))),
    ]
    texts, forms = get_default_latex_context_db(), get_forms()
    texts.add_context_category("catalog", prepend=True, macros=rules)
    texts.set_unknown_macro_spec(MacroTextSpec("", simplify_repl=arguments))
    shapes = {**dict.fromkeys([*_KEPT.split(), *_VERBATIM.split(), "textcommabelow"], "{"), **_DROPPED, **_LAST}
    shapes |= dict.fromkeys(_CITATIONS.split(), "[[{") | dict.fromkeys(["textsuperscript", "textsubscript"], "{")
    forms.add_context_category(
        "catalog", prepend=True, macros=[std_macro(name, shape) for name, shape in shapes.items()]
    )
    decoder = LatexNodes2Text(math_mode="text", strict_latex_spaces=False, latex_context=texts)
    return _Decoder(decoder, forms)


class _Decoder:
    """The library's converter, with the forms of macros of our own."""

    def __init__(self, decoder: LatexNodes2Text, forms: Any) -> None:
        self._decoder, self._forms = decoder, forms

    def latex_to_text(self, text: str) -> str:
        return str(self._decoder.latex_to_text(text, latex_context=self._forms))


def _with_comma(text: str) -> str:
    return unicodedata.normalize("NFC", text[:1] + "\u0326" + text[1:])
