"""LaTeX to MathML, and Markdown around it."""

from __future__ import annotations

from xml.etree import ElementTree

import markdown as python_markdown
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.outputs.site.formulas import FormulaError, to_mathml
from catalog.outputs.site.markdown import fence, inline, typeset


def tree(latex: str, *, display: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(to_mathml(latex, display=display))


def texts(root: ElementTree.Element, tag: str) -> list[str]:
    return [element.text or "" for element in root.iter(tag)]


def test_upright_words_are_one_identifier() -> None:
    assert "NPO" in texts(tree(r"\mathcal L_{\mathrm{NPO}}"), "mi")


def test_functions_are_set_off_but_not_from_their_parenthesis() -> None:
    assert len(list(tree(r"\beta\log\frac{a}{b}").iter("mspace"))) == 2
    assert len(list(tree(r"\log(x)").iter("mspace"))) == 0


def test_a_minus_after_an_equals_sign_is_a_sign() -> None:
    signs = {element.text: element.get("form") for element in tree("a = -b - c").iter("mo")}
    assert signs["−"] is None, "the last minus is an operation"
    first = next(element for element in tree("a = -b").iter("mo") if element.text == "−")
    assert first.get("form") == "prefix"


def test_limits_stand_below_when_displayed() -> None:
    assert list(tree(r"\min_\theta f", display=True).iter("munder"))
    assert not list(tree(r"\min_\theta f").iter("munder"))


@pytest.mark.parametrize("size", ["", r"\big", r"\Big", r"\bigg", r"\Bigg", r"\bigl", r"\Bigr", r"\bigm"])
@pytest.mark.parametrize(("written", "shown"), [(r"\{", "{"), (r"\}", "}"), (r"\|", "\N{DOUBLE VERTICAL LINE}")])
def test_a_delimiter_is_itself_in_any_size(size: str, written: str, shown: str) -> None:
    element = next(one for one in tree(f"a {size}{written} b").iter("mo"))
    assert element.text == shown


def test_an_unknown_command_is_an_error_that_shows_the_formula() -> None:
    with pytest.raises(FormulaError, match=r"\\nosuchcommand"):
        to_mathml(r"a \nosuchcommand b")


def test_markdown_leaves_formulas_alone() -> None:
    text = typeset(r"- *Loss* $a_i * b_j * c_k$ and $x < y$ at `$HOME`" + "\n- $p_1$ starts a line")
    html = python_markdown.markdown(text)
    assert html.count("<math") == 3
    assert html.count("<em>") == 1
    assert "<code>$HOME</code>" in html
    assert html.count("<li>") == 2


def test_code_and_prices_are_not_formulas() -> None:
    source = "It costs $5 and $6.\n\n```\n$a$\n```\n"
    assert typeset(source) == source


def test_inline_escapes_and_sets_code_emphasis_and_formulas() -> None:
    html = inline("a <b> *c* `d*e*f` $x$ and 2 * 3 * 4")
    assert html.startswith("a &lt;b&gt; <em>c</em> <code>d*e*f</code> <span")
    assert html.endswith("and 2 * 3 * 4")


def test_a_fence_is_longer_than_any_in_the_code() -> None:
    assert fence("```\nx\n```", "text").startswith("````text\n")


@pytest.mark.parametrize(
    "latex",
    [
        r"\lVert s^{(l)} - a \rVert_2^2",
        r"\lVert \frac{a}{b} \rVert",
        r"\lvert \mathcal D \rvert",
        r"| \frac{a}{b} |^2",
        r"\| \sum_i x_i \|",
    ],
)
def test_bars_that_were_not_told_to_grow_are_as_high_as_each_other(latex: str) -> None:
    """One of a pair that has a subscript stands apart from what is between them, and would not grow with the other."""
    bars = [one for one in tree(latex).iter("mo") if one.text in ("|", "‖")]
    assert [one.get("stretchy") for one in bars] == ["false", "false"]


@pytest.mark.parametrize("latex", [r"\left\lVert \frac{a}{b} \right\rVert_2^2", r"\left| \frac{a}{b} \right|"])
def test_bars_that_were_told_to_grow_do(latex: str) -> None:
    bars = [one for one in tree(latex).iter("mo") if one.text in ("|", "‖")]
    assert [one.get("stretchy") for one in bars] == ["true", "true"]


@pytest.mark.parametrize("size", ["big", "Big", "bigg"])
def test_bars_of_a_size_are_known_by_all_their_names(size: str) -> None:
    for left, right, bar in ((r"\lVert", r"\rVert", "‖"), (r"\lvert", r"\rvert", "|"), (r"\|", r"\|", "‖")):
        parsed = tree(rf"\{size}l{left} x \{size}r{right}^2")
        assert [one.text for one in parsed.iter("mo")] == [bar, bar]


MATHML = set(
    "math mrow mi mo mn mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd mstyle "
    "mpadded mphantom menclose".split()
)


@pytest.mark.parametrize(
    ("latex", "shown"),
    [
        (r"\text{a<b}", "a<b"),
        (r"\texttt{<<UNL>>}", "<<UNL>>"),
        (r"\text{R\&D}", "R&D"),
        (r"\text{a & b}", "a & b"),
        (r"\mbox{x<y}", "x<y"),
        (r"\text{<script>alert(1)</script>}", "<script>alert(1)</script>"),
        (r"\text{<mi onclick='x()'>}", "<mi onclick='x()'>"),
    ],
)
def test_words_are_shown_as_they_are_and_are_no_markup(latex: str, shown: str) -> None:
    parsed = tree(latex)
    assert "".join(parsed.itertext()).replace("\N{NO-BREAK SPACE}", " ") == shown
    assert {element.tag for element in parsed.iter()} <= MATHML


@pytest.mark.parametrize("latex", [r"y_{<t}", r"\left< x, y \right>", r"\bigl< x \bigr>", r"\{ x : x < 1 \}", r"a^<"])
def test_less_and_greater_are_signs(latex: str) -> None:
    parsed = tree(latex)
    assert "<" in "".join(parsed.itertext())
    assert {element.tag for element in parsed.iter()} <= MATHML


@given(st.text(st.sampled_from("<>&{}\\text_^/script ax1'\"=")))
def test_no_formula_writes_anything_but_mathematics(latex: str) -> None:
    try:
        made = to_mathml(latex)
    except FormulaError:
        return
    parsed = ElementTree.fromstring(made)
    assert {element.tag for element in parsed.iter()} <= MATHML
    assert not {name for element in parsed.iter() for name in element.attrib if name.startswith("on") or "src" in name}
