"""Files in any encoding: UTF-8 is read, with a byte order mark or without; all else is refused in a sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import answers
import pytest
from command_runs import Run
from hypothesis import given
from hypothesis import strategies as st
from issue_bodies import FORMS, body
from local_server import Reply, Server
from small_checkout import FADING, Checkout

from catalog.base.utf8 import EncodingError, decode
from catalog.base.web import Settings, Web, WebError
from catalog.intake.sources import Reference, Sources
from catalog.parsing.tree import lost_letters, parse_tree

BIB = """\
@article{m1,
  title = {Rain on Language Models},
  author = {Müller, Jörg and Strauß, Eva},
  year = 2031,
}
"""
JSON = json.dumps(json.loads(answers.csl().body), ensure_ascii=False)
LIST = "# Müller's list\n3104.05678\n"
FILE = "papers/2031/muller2031rain.yaml"

Command = tuple[str, str, tuple[str, ...]]
COMMANDS: dict[str, Command] = {
    "add": ("refs.bib", BIB, ("add", "refs.bib")),
    "batch of entries": ("refs.bib", BIB, ("add", "--batch", "refs.bib")),
    "batch of ids": ("papers.txt", LIST, ("add", "--batch", "papers.txt")),
    "offline, BibTeX": ("saved.txt", BIB, ("add", "--offline", "saved.txt")),
    "offline, Atom": ("saved.txt", answers.feed(answers.entry("3104.05678")), ("add", "--offline", "saved.txt")),
    "offline, JSON": (
        "saved.txt",
        JSON,
        ("add", "--offline", "saved.txt"),
    ),
    "from-issue": (
        "issue.md",
        body("correct-record", record="lindqvist2031fading", field="authors", value="Jörg Müller", source="p. 1"),
        ("from-issue", "issue.md"),
    ),
    "from-issue, event": (
        "event.json",
        json.dumps({"issue": {"body": body("add-paper", paper="3104.05678", summary="Größe.")}}, ensure_ascii=False),
        ("from-issue", "event.json"),
    ),
    "update --bib": ("refs.bib", BIB, ("update", "--bib", "refs.bib")),
}
"""By name: a file, its content, and the command that reads it."""


@pytest.fixture
def sources_here(server: Server, checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_MIRRORS", answers.as_variable(answers.mirrors(server)))
    shutil.copytree(FORMS, checkout.root / ".github/ISSUE_TEMPLATE")
    server["/export.arxiv.org/api/query"] = answers.atom(answers.entry("3104.05678"))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("sources_here")
def test_every_reader_takes_utf8_alone(name: str, checkout: Checkout, run: Run) -> None:
    file, text, command = COMMANDS[name]
    before = set((checkout.root / "papers").rglob("*"))
    latin = "Größe " + text if not text.startswith(("<", "{")) else text.replace("Å", "Ö")
    for encoding in ("latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        data = latin.encode(encoding, "replace")
        checkout.add(file, data)
        ran = run(*command)
        at = next((index for index, byte in enumerate(data) if byte > 127), -1) + 1
        said = f"is not UTF-8, at its byte {at}" if encoding == "latin-1" else f"is {encoding[:6].upper()}"
        assert ran.status == 2, (encoding, ran)
        assert f"{file} {said}: save it as UTF-8." in ran.err
        assert len(ran.err.splitlines()) == 1
        assert set((checkout.root / "papers").rglob("*")) == before
    checkout.add(file, text.encode())
    plain = run(*command, *(["--dry-run"] if "--bib" not in command else []))
    assert plain.status == 0, plain.err
    checkout.add(file, b"\xef\xbb\xbf" + text.encode())
    assert run(*command, *(["--dry-run"] if "--bib" not in command else [])) == plain


def test_records_and_data_files(checkout: Checkout, run: Run) -> None:
    shutil.copytree(FORMS.parents[1] / "catalog/vocabularies", checkout.root / "catalog/vocabularies")
    vocabulary = checkout.root / "catalog/vocabularies/target.yaml"
    result = {"method": "fade", "task": "gardens", "model": "tiny", "seed": 1, "hyperparameters": {}, "metrics": {}}
    result |= {"seconds": 1, "peak_memory_bytes": 1, "versions": {}, "command": "unlearn run fade"}
    committed = checkout.add("reference_impls/results/gardens/tiny/fade-1.json", json.dumps(result))
    method = checkout.root / "reference_impls/methods/gradient_ascent/fade.py"
    files = (checkout.fading, vocabulary, committed, method)
    before = checkout.problems()
    kept = {path: path.read_bytes() for path in files}
    for path in files:
        path.write_bytes(b"\xef\xbb\xbf" + kept[path])
    assert checkout.problems() == before
    for path in files:
        path.write_bytes(kept[path].decode().encode("utf-16"))
        here = path.relative_to(checkout.root).as_posix()
        assert any("is UTF-16" in one.message for one in checkout.problems() if one.file == here), here
        path.write_bytes(kept[path])
    checkout.fading.write_bytes(FADING.encode("latin-1"))
    found = [(one.line, one.column, one.code, one.message) for one in checkout.problems() if one.code == "not-utf-8"]
    at = FADING.index("Å") + 1
    assert found == [(2, 11, "not-utf-8", f"is not UTF-8, at its byte {at} (0xC5)")]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40), st.sampled_from(["", "\ufeff"]))
def test_utf8_comes_back(text: str, mark: str) -> None:
    assert decode((mark + text).encode()) == text.removeprefix("\ufeff" if not mark else "")


@given(
    st.lists(
        st.sampled_from(["@misc{a, title={x}}", "3104.05678", "Größe", "忘却の論文", "Жук", "\r\n", " "]), min_size=1
    ),
    st.sampled_from(["utf-16-le", "utf-16-be", "utf-16"]),
)
def test_utf16_is_known_by_what_files_here_hold(parts: list[str], encoding: str) -> None:
    text = "title: " + "\n".join(parts)
    with pytest.raises(EncodingError, match="is UTF-16"):
        decode(text.encode(encoding))


def test_a_stray_zero_is_not_utf16() -> None:
    for data in (b"ab\0cd", b"@misc{a,\0 title={x}}", b"\0"):
        assert decode(data).encode() == data


@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        text, error = decode(data), None
    except EncodingError as refused:
        text, error = None, refused
    if text is not None:
        assert text.encode() == data.removeprefix(b"\xef\xbb\xbf")
    elif error and error.start is not None:
        assert not _is_text(data)
        assert _is_text(data[: error.start])


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


# Answers of the network -----------------------------------------------------------------------------------


@pytest.fixture
def web(server: Server) -> Iterator[Web]:
    with Web(Settings(attempts=1, mirrors=answers.mirrors(server), cache=None)) as made:
        yield made


ANTHOLOGY = BIB.replace("m1", "muller-2031-rain")


@pytest.mark.parametrize(
    ("encoding", "declared", "read"),
    [
        ("utf-8", "text/plain", True),
        ("utf-8-sig", "text/plain; charset=utf-8", True),
        ("latin-1", "text/plain; charset=ISO-8859-1", True),
        ("windows-1252", 'text/plain; charset="windows-1252"', True),
        ("utf-16", "text/plain; Charset=utf-16", True),
        ("utf-8", "text/plain; charset=nonsense", True),
        ("utf-8", "text/plain; charset=us-ascii", True),
        ("latin-1", "text/plain", False),
        ("latin-1", "text/plain; charset=utf-8", False),
        ("utf-16", "text/plain", False),
    ],
)
def test_what_the_sender_declares(encoding: str, declared: str, read: bool, server: Server, web: Web) -> None:
    def only_bibtex(asked: object) -> Reply:
        return Reply("", 406) if "csl" in asked.headers["Accept"] else Reply(ANTHOLOGY.encode(encoding), type=declared)  # type: ignore[attr-defined]

    server["/aclanthology.org/2031.acl-long.1.bib"] = Reply(ANTHOLOGY.encode(encoding), type=declared)
    server["/doi.org/10.5555/rain.1"] = only_bibtex
    for reference in (Reference("acl", "2031.acl-long.1"), Reference("doi", "10.5555/rain.1")):
        if read:
            assert Sources(web).look_up(reference).authors == ("Jörg Müller", "Eva Strauß")
        else:
            with pytest.raises(WebError, match=r"is not UTF-8, at its byte|is UTF-16"):
                Sources(web).look_up(reference)


# What got lost before ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("Tomé", "Tom\ufffd", (2, 29)),
        ("Gentle", "G\ufffdntle", (1, 22)),
        ("example.org/lindqvist", "example.org/lindqv\ufffdst", (11, 35)),
        ("  name: Fade", "  name: Fade  # by hand: J\ufffdrg says so", (15, 27)),
        ("Turns the loss", "Turns th\ufffd l\ufffdss", (16, 22)),
        ("name: Fade", 'name: "F\\uFFFDde"', (15, 9)),
    ],
)
def test_a_letter_that_got_lost_is_an_error(
    old: str, new: str, place: tuple[int, int], checkout: Checkout, run: Run
) -> None:
    checkout.change(checkout.fading, old, new)
    found = [one for one in checkout.problems() if one.code == "lost-letter"]
    assert [(one.line, one.column, one.severity) for one in found] == [(*place, "error")]
    assert "wrong encoding" in found[0].message
    ran = run("validate")
    assert (ran.status, f"lindqvist2031fading.yaml:{place[0]}:{place[1]}: error[lost-letter]" in ran.out) == (1, True)
    assert run("fmt", "--check").status == 1


@given(st.text("aä\ufffd \n", max_size=30))
def test_no_lost_letter_is_overlooked(text: str) -> None:
    data = "a: >-\n" + "".join(f"  x{line}\n" for line in text.split("\n"))
    tree, _ = parse_tree(data.encode(), "f")
    assert tree
    lines = {number for number, line in enumerate(data.split("\n"), 1) if "\ufffd" in line}
    assert {one.line for one in lost_letters(tree)} == lines


@pytest.mark.usefixtures("sources_here")
def test_no_draft_holds_a_letter_that_a_source_lost(checkout: Checkout, run: Run, server: Server) -> None:
    entry = answers.entry("3104.05678", authors=("J\ufffdrg M\ufffdller",))
    server["/export.arxiv.org/api/query"] = answers.atom(entry)
    ran = run("add", "3104.05678")
    assert (ran.status, "error[lost-letter]" in ran.err) == (1, True)
    assert not (checkout.root / FILE).exists()
