"""Text into Markdown: front matter, fences, and prose with formulas.

The pages are mostly HTML blocks, which Markdown leaves alone, filled by Jinja with escaping on. The functions
here are for the places where text meets Markdown itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from markdown import Markdown
from markupsafe import Markup

from catalog.outputs.site.formulas import to_mathml

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""The one in C where there is one, which is ten times as fast."""
_NOT_IN_YAML = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What may not stand in a YAML file, or would end a line of it."""
_REFERENCES = {"\r": "&#13;", "\u2028": "&#8232;", "\u2029": "&#8233;", "\ufeff": "&#65279;"}
_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(?P<ticks>`+)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)", re.DOTALL)
_DISPLAY = re.compile(r"\$\$(?P<latex>.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"(?<![\\$\w])\$(?![\s$])(?P<latex>[^$]+?)(?<!\s)\$(?![\d$])")
_PRE = re.compile(r"<pre\b.*?</pre>", re.DOTALL)
_INDENTATION = re.compile(r"\n\s+")
_MATH = re.compile(r"<math .*?</math>")
_KEPT = re.compile(r"<!--formula (\d+)-->")
_STRONG = re.compile(r"\*\*(\S(?:[^*]*\S)?)\*\*")
_EMPHASIS = re.compile(r"(?<![\w*])\*(\S(?:[^*]*\S)?)\*(?![\w*])")
_HEADING = re.compile(r"^#(?=#* )", re.MULTILINE)


def front_matter(meta: dict[str, Any], *, content: str = "") -> str:
    """A YAML block for the top of a page.

    Args:
        meta: what the theme's templates see as ``page.meta``.
        content: HTML that they see as ``page.meta.content``, written as it is: a literal block, which is read fast.
            Line breaks at its end are left out.
    """
    text = yaml.dump(meta, Dumper=_DUMPER, allow_unicode=True, sort_keys=True, width=10_000)
    if content:
        lines = _NOT_IN_YAML.sub(lambda match: _REFERENCES.get(match[0], "\ufffd"), content).replace("\n", "\n  ")
        text += f"content: |2-\n  {lines}\n"
    return f"---\n{text}---\n\n"


def compact(page: str) -> str:
    """HTML without the indentation of its templates, which is a tenth of a page; what is preformatted keeps it."""
    return _between(_PRE, page.strip(), lambda part: _INDENTATION.sub("\n", part))


def fence(code: str, language: str, **options: str) -> Markup:
    """A fenced code block, with a fence longer than any in the code."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
    attributes = "".join(f' {name}="{value}"' for name, value in options.items())
    return Markup(f"{ticks}{language}{attributes}\n{code.rstrip()}\n{ticks}")


def typeset(text: str, *, headings_below: int = 0) -> Markup:
    """Markdown with ``$...$`` and ``$$...$$``, formulas turned into MathML; code stays as it is.

    Args:
        text: what a method file's docstring holds.
        headings_below: how many levels to move headings down.
    """

    def formulas(part: str) -> str:
        for _ in range(headings_below):
            part = _HEADING.sub("##", part)
        part = _DISPLAY.sub(lambda match: "".join(map(_display, lines(match["latex"]))), part)
        return _INLINE.sub(lambda match: _in_line(match["latex"]), part)

    return Markup(_outside_code(text, formulas))


def converter(extensions: Sequence[Any]) -> Callable[[str], Markup]:
    """A function from Markdown to HTML, for columns: Markdown leaves alone what stands within an element.

    Args:
        extensions: as ``markdown_extensions`` of ``mkdocs.yml`` lists them, so that it makes what MkDocs would.
    """
    configs = {
        name: config for extension in extensions if isinstance(extension, dict) for name, config in extension.items()
    }
    names = [extension if isinstance(extension, str) else next(iter(extension)) for extension in extensions]
    made = Markdown(extensions=names, extension_configs=configs)

    def convert(text: str) -> Markup:
        # The parser would walk through every element of every formula, only to leave it as it is.
        kept: list[str] = []

        def keep(match: re.Match[str]) -> str:
            kept.append(match[0])
            return f"<!--formula {len(kept) - 1}-->"

        done = made.reset().convert(_outside_code(text, lambda part: _MATH.sub(keep, part)))
        return Markup(_KEPT.sub(lambda match: kept[int(match[1])], done))

    return convert


def lines(latex: str) -> list[str]:
    r"""A display formula in parts that stand below each other: it is cut where ``\qquad`` sets formulas apart.

    >>> lines(r"a = {b \qquad c}, \qquad d = e")
    ['a = {b \\qquad c},', 'd = e']
    """
    parts, start, depth = [], 0, 0
    for match in re.finditer(r"\\(?:qquad|begin|end|left|right)(?![a-zA-Z])|\\.|[{}]", latex):
        if match[0] in ("{", "\\begin", "\\left"):
            depth += 1
        elif match[0] in ("}", "\\end", "\\right"):
            depth -= 1
        elif match[0] == "\\qquad" and depth == 0:
            parts.append(latex[start : match.start()].strip())
            start = match.end()
    return [part for part in (*parts, latex[start:].strip()) if part]


def _display(latex: str) -> str:
    return f'<span class="formula" tabindex="0">{to_mathml(latex, display=True)}</span>'


def inline(text: str) -> Markup:
    """One line as HTML: escaped, with `` `code` ``, ``*emphasis*`` and ``$formulas$`` set."""
    parts = []
    position = 0
    for match in re.finditer(f"{_CODE.pattern}|{_INLINE.pattern}", text, re.DOTALL):
        parts.append(_emphasis(text[position : match.start()]))
        if match["code"]:
            parts.append(f"<code>{html.escape(match['code'])}</code>")
        else:
            parts.append(_in_line(match["latex"]))
        position = match.end()
    parts.append(_emphasis(text[position:]))
    return Markup("".join(parts))


def _in_line(latex: str) -> str:
    """A formula in a sentence; the span keeps Markdown from taking a ``math`` that starts a line for a block."""
    return f'<span class="math">{to_mathml(latex)}</span>'


def _emphasis(text: str) -> str:
    marked = _STRONG.sub(r"<strong>\1</strong>", html.escape(text))
    return _EMPHASIS.sub(r"<em>\1</em>", marked)


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """``text`` with ``change`` applied to everything but code."""
    return _between(_FENCE, text, lambda part: _between(_CODE, part, change))


def _between(kept: re.Pattern[str], text: str, change: Any) -> str:
    """``text`` with ``change`` applied to everything that ``kept`` does not match."""
    parts = []
    position = 0
    for match in kept.finditer(text):
        parts += [change(text[position : match.start()]), match[0]]
        position = match.end()
    return "".join([*parts, change(text[position:])])
