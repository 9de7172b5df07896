"""Text of other programs as plain text: no letter of it gets lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.intake.sources.cleaning import plain
from catalog.model.paper import plain_text

CASES = {
    # macros with text in them
    r"\texttt{SEMU}: Controllable Forgetting": "SEMU: Controllable Forgetting",
    r"\textsf{A} \textmd{B} \textup{C} \mbox{D} \textsc{E} \emph{F}": "A B C D E F",
    r"\href{https://a.example}{Name} and \url{https://b.example/c_d}": "Name and https://b.example/c_d",
    r"Forgetting\footnote{Work in progress} and \thanks{us} more": "Forgetting and more",
    r"\mymethod{MOON}: forgetting": "MOON: forgetting",
    r"\method: forgetting": "method: forgetting",
    r"\method{} forgets, \ours\xspace too": "method forgets, ours too",
    r"{\bf Bold} {\em words} in \textcolor{red}{red}": "Bold words in red",
    r"\raisebox{1pt}{x} \scalebox{0.5}{y}": "x y",
    r"\TeX, \LaTeX, \BibTeX": "TeX, LaTeX, BibTeX",
    # letters
    r"Mu\~{n}oz Jos\'{e} \r{A}sa Nordstr\"om G{\"o}del": "Muñoz José Åsa Nordström Gödel",
    r"\c{S} \v{c} \o{}re \ss{} \L{} \i": "Ş č øre ß Ł ı",
    r"\textcommabelow{S}tefan": "Ștefan",
    # mathematics
    r"$\mathtt{foo}$, $\mathcal{L}_2$ and $\beta$-VAE": "foo, ℒ₂ and β-VAE",
    r"$R^2$, $\ell_2$, H$_2$O, $x_{max}$ and $\sim$100": "R², ℓ₂, H₂O, xₘₐₓ and ∼100",
    r"L$^2$ and A\textsuperscript{3} and H\textsubscript{2}O": "L² and A³ and H₂O",
    # signs that are LaTeX only where other LaTeX stands
    "Dash--quoted ``words'' in~plain text": "Dash–quoted “words” in plain text",
    "`Forget' and ``learn'' -- or not": "‘Forget’ and “learn” – or not",
    r"{Dash}--quoted ``words'' in~plain text": "Dash–quoted “words” in plain text",
    "~10x faster with --flag": "~10x faster with --flag",
    "O'Neil's model isn't `it'": "O'Neil's model isn't ‘it’",
    "50% of {LLM}s  forget\n 10\\%": "50% of LLMs forget 10%",
    "Forget $5 and $6": "Forget $5 and $6",
    # HTML and MathML
    "Recall &amp;amp; Forgetting": "Recall & Forgetting",
    "Solitons in<mml:math><mml:mi>N</mml:mi></mml:math>-Coupled": "Solitons in N-Coupled",
    "H<sub>2</sub>O, x<sup>2</sup> and <i>more</i>": "H₂O, x² and more",
    "<jats:p>One</jats:p><jats:p>Two</jats:p>": "One Two",
    "when n<d and d>k": "when n<d and d>k",
    "a < b and b > c": "a < b and b > c",
    "&lt;i&gt;Italic&lt;/i&gt; and &lt;p&gt; as a token": "Italic and ⟨p⟩ as a token",
    "Forget the <eos> token": "Forget the ⟨eos⟩ token",
    "\ufeffA\u200bB\x00": "AB",
    "**bold** `code` [x](https://y.z)": "bold code x",
    r"\href{": "href",
}


@pytest.mark.parametrize(("text", "clean"), CASES.items())
def test_plain(text: str, clean: str) -> None:
    assert plain(text) == clean
    assert plain_text(plain(text)) == plain(text)


WORD = st.text(st.sampled_from("abcdefgXYZäéñß"), min_size=1, max_size=8)
WRAPPERS = st.sampled_from(
    [
        "{}",
        "{{{}}}",
        r"\texttt{{{}}}",
        r"\textsf{{{}}}",
        r"\mbox{{{}}}",
        r"\emph{{{}}}",
        r"\textbf{{\textit{{{}}}}}",
        r"\unknownmacro{{{}}}",
        r"\unknown[opt]{{{}}}",
        r"{{\bf {}}}",
        r"\href{{https://x.example}}{{{}}}",
        r"\textcolor{{red}}{{{}}}",
        r"$\text{{{}}}$",
        "<i>{}</i>",
        "<jats:italic>{}</jats:italic>",
        "<sans-serif>{}</sans-serif>",
        "<mml:math><mml:mtext>{}</mml:mtext></mml:math>",
        "&lt;{}&gt; ",
    ]
)


@given(st.lists(st.tuples(WORD, WRAPPERS), min_size=1, max_size=6))
def test_words_survive_whatever_is_around_them(parts: list[tuple[str, str]]) -> None:
    text = " ".join(wrapper.format(word) for word, wrapper in parts)
    letters = "".join(sign for sign in plain(text) if sign.isalpha())
    assert letters == "".join(word for word, _ in parts)


@given(st.text(st.characters(categories=["L", "Nd"], max_codepoint=0x2FF), min_size=1).filter(str.strip))
def test_text_without_markup_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


@given(st.text(st.sampled_from("\\{}$<>&;#*`[]()!% \nabcé1_^~'\"-.\u200b\u3164\ue000\x9b\x0b") | st.characters()))
def test_plain_is_always_plain(text: str) -> None:
    assert plain_text(plain(text)) == plain(text)
