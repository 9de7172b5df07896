"""What bad input gets: one clear message with file, line, column, code and hint, status 1, no traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from command_runs import Run
from small_checkout import FADING, REPOSITORY, Checkout

Change = Callable[[Checkout], object]
FILE = "papers/2031/lindqvist2031fading.yaml"


def replace(old: str, new: str) -> Change:
    return lambda checkout: checkout.change(checkout.fading, old, new)


def write(content: str | bytes) -> Change:
    return lambda checkout: checkout.add(FILE, content)


def big(checkout: Checkout) -> None:
    with checkout.fading.open("r+b") as file:
        file.truncate(50 * 2**20)


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
TITLE = '"Fading Out: Gentle Forgetting for Small Models"'

# name: (what is done to the record, code, line, column, part of the message, part of the hint)
ROWS: dict[str, tuple[Change, str, int, int, str, str]] = {
    "a number for a list": (
        replace("[privacy]", "12"),
        "wrong-type",
        7,
        10,
        "targets holds a single value",
        "[one, two]",
    ),
    "a list for text": (replace(TITLE, "[a, b]"), "wrong-type", 1, 8, "title holds a list", "one value"),
    "text for keys": (
        replace("{source: arxiv, checked: 2031-06-01}", "arxiv"),
        "wrong-type",
        19,
        13,
        "provenance holds a single value where keys with values belong",
        "{key: value}",
    ),
    "an arXiv id without quotes": (
        replace('"3104.01234"', "3104.01234"),
        "needs-quotes",
        10,
        10,
        "links.arxiv is a number to YAML (3104.01234), not text",
        'Put it in quotes: "3104.01234"',
    ),
    "a year for a date": (replace("2031-04", "2031"), "needs-quotes", 3, 7, "date is a number", "YYYY-MM"),
    "text for a venue": (
        replace("{id: collas, year: 2032}", "CoLLAs 2032"),
        "wrong-type",
        4,
        8,
        "venue holds a single value",
        "Write {id: colm, year: 2024}",
    ),
    "no for a venue": (
        replace("id: collas", "id: no"),
        "needs-quotes",
        4,
        13,
        "venue.id is true or false to YAML (no)",
        '"no"',
    ),
    "a venue by its alias": (
        replace("id: collas", "id: NIPS"),
        "unknown-venue",
        4,
        13,
        "'NIPS'",
        "Did you mean 'neurips'?",
    ),
    "a venue without a year": (replace(", year: 2032", ""), "missing-key", 4, 1, "venue has no 'year'", "year: 2025"),
    "a year in quotes": (replace("year: 2032", 'year: "2032"'), "bad-year", 4, 27, "four digits", "without quotes"),
    "a short year": (replace("year: 2032", "year: 32"), "bad-year", 4, 27, "four digits", "2025"),
    "an empty value": (replace("venue: {id: collas, year: 2032}", "venue:"), "empty-value", 4, 7, "venue", "delete"),
    "an unknown data set": (replace("[tofu]", "[tofv]"), "unknown-dataset", 8, 12, "'tofv'", "Did you mean 'tofu'?"),
    "a data set by its alias": (
        replace("[tofu]", "[Task of Fictitious Unlearning]"),
        "unknown-dataset",
        8,
        12,
        "'Task of Fictitious Unlearning'",
        "Did you mean 'tofu'?",
    ),
    "an unknown family": (replace("[gradient-ascent]", "[GA]"), "unknown-family", 6, 10, "'GA'", "'gradient-ascent'"),
    "a missing title": (replace(f"title: {TITLE}\n", ""), "missing-key", 1, 1, "no 'title'", "title:"),
    "an unknown key": (replace("venue:", "venu:"), "unknown-key", 4, 1, "'venu'", "Did you mean 'venue'?"),
    "an unknown key inside": (replace("  arxiv:", "  arxvi:"), "unknown-key", 10, 3, "'arxvi'", "'arxiv'"),
    "tabs": (replace("  arxiv:", "\tarxiv:"), "tab", 10, 1, "a tab", "two spaces"),
    "a duplicate key": (replace("venue:", "date: 2031-05\nvenue:"), "duplicate-key", 4, 1, "line 3", "Keep one"),
    "a YAML bomb": (write(BOMB), "anchor", 1, 4, "anchor", "Write the value out"),
    "deep nesting": (write("[" * 100_000), "too-deep", 1, 9, "nested deeper", "nested"),
    "a tag": (replace("date: ", "date: !!str "), "tag", 3, 7, "tag", "Delete it"),
    "two documents": (write(FADING + "---\n" + FADING), "several-documents", 20, 1, "more than one", "---"),
    "50 MB": (big, "too-large", 1, 1, "52,428,800 bytes", "few lines"),
    "invalid UTF-8": (write(FADING.encode("latin-1")), "not-utf-8", 2, 11, "0xC5", "UTF-8"),
    "a control character": (write(FADING.replace("Gentle", "Gen\x07tle")), "control-character", 1, 24, "U+0007", "PDF"),
    "an empty file": (write(""), "empty-file", 1, 1, "nothing", "CONTRIBUTING.md"),
    "a list as a record": (write("- a\n- b\n"), "wrong-type", 1, 1, "keys with values", "CONTRIBUTING.md"),
    "YAML that does not parse": (
        replace(TITLE, "Fading Out: Gentle"),
        "bad-yaml",
        1,
        18,
        "mapping values are not allowed",
        "quotes",
    ),
    "an id that disagrees": (
        replace("title: ", "id: lindqvist2031other\ntitle: "),
        "id-mismatch",
        1,
        5,
        "'lindqvist2031other' disagrees with the file's name 'lindqvist2031fading'",
        "Delete the line",
    ),
    "a missing implementation": (
        replace("{id: fade,", "{id: fades,"),
        "unknown-implementation",
        18,
        10,
        "'fades'",
        "Did you mean 'fade'?",
    ),
    "an unknown relation": (replace("introduces", "introduced"), "unknown-value", 18, 26, "introduced", "'introduces'"),
    "a javascript link": (
        replace("https://example.org/lindqvist/fading", "javascript:alert(1)"),
        "bad-link",
        11,
        9,
        "'javascript'",
        "",
    ),
    "a script in a title": (
        replace("Gentle", "<script>alert(1)</script>"),
        "html-in-text",
        1,
        8,
        "<script>",
        "Write plain text",
    ),
    "Markdown in a title": (
        replace("Gentle", "**Gentle**"),
        "markdown-in-text",
        1,
        8,
        "**Gentle**",
        "Write plain text",
    ),
    "LaTeX in a title": (
        write(FADING.replace(TITLE, "'Fading $\\alpha$ Out'")),
        "latex-in-text",
        1,
        8,
        "$\\\\alpha$",
        "Write Unicode",
    ),
    "an escape that nobody sees": (
        replace("Gentle", "Gen\\x9btle"),
        "invisible-character",
        1,
        8,
        "title: holds the control character U+009B",
        "Delete it",
    ),
    "an escape in an address": (
        replace("https://example.org/lindqvist/fading", '"https://example.org/a\\0\\u202eb"'),
        "invisible-character",
        11,
        9,
        "links.code: holds the control character U+0000",
        "Delete it",
    ),
    "an escape in a key": (
        replace("venue:", '"ven\\u3164ue":'),
        "invisible-character",
        4,
        1,
        "holds the invisible character U+3164",
        "Delete it",
    ),
    "a DOI in other digits": (replace("  code:", "  doi: 10.12٣4/abc\n  code:"), "bad-doi", 11, 8, "not a DOI", ""),
    "an arXiv address": (
        replace('"3104.01234"', "https://arxiv.org/abs/3104.01234v2"),
        "bad-arxiv",
        10,
        10,
        "arXiv id without version",
        'Write "3104.01234"',
    ),
    "an OpenReview address": (
        replace("  code:", "  openreview: https://openreview.net/forum?id=MXLBXjQkmb&noteId=x\n  code:"),
        "bad-openreview",
        11,
        15,
        "not an OpenReview forum id",
        "Write MXLBXjQkmb",
    ),
    "a date that is none": (replace("2031-04", "2031-13"), "bad-date", 3, 7, "2031-13", ""),
}


@pytest.mark.parametrize("name", ROWS)
def test_one_message(name: str, checkout: Checkout, run: Run) -> None:
    change, code, line, column, message, hint = ROWS[name]
    change(checkout)
    ran = run("validate", "--format", "json")
    errors = [one for one in json.loads(ran.out) if one["severity"] == "error" and one["file"] == FILE]
    assert ran.status == 1
    assert [(one["code"], one["line"], one["column"]) for one in errors] == [(code, line, column)]
    assert message in errors[0]["message"]
    assert hint in errors[0]["hint"]
    assert errors[0]["hint"], "everybody is told what to do"


def test_duplicate_names_both_parties(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.gardens, "  url: https://example.org/gardens", '  arxiv: "3104.01234"')
    ran = run("validate")
    assert ran.status == 1
    assert "papers/2032/okonkwo2032gardens.yaml:10:10: error[duplicate-paper]" in ran.out
    assert "lindqvist2031fading (papers/2031/lindqvist2031fading.yaml:10)" in ran.out


def test_duplicate_is_reported_where_one_looks(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.gardens, "  url: https://example.org/gardens", '  arxiv: "3104.01234"')
    ran = run("validate", str(checkout.fading))
    assert ran.status == 1
    assert ran.out.startswith("papers/2031/lindqvist2031fading.yaml:10:10: error[duplicate-paper]")


def test_all_problems_of_all_files_in_one_run(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.fading, "date: 2031-04", "date: April")
    checkout.change(checkout.fading, "[tofu]", "[7, tofv]")
    checkout.change(checkout.fading, "{id: fade, relation: introduces}", "{id: fede, relation: made}")
    checkout.change(checkout.gardens, "type: benchmark", "type: bench")
    checkout.add("papers/2033/tab2033file.yaml", "\t")
    checkout.add("papers/2033/notes.txt", "mine")
    checkout.add("reference_impls/methods/gradient_ascent/broken.py", "def")
    checkout.add("reference_impls/results/broken.json", "{")
    problems = json.loads(run("validate", "-f", "json").out)
    found = {(one["file"].rpartition("/")[2], one["line"], one["code"]) for one in problems}
    assert found >= {
        ("lindqvist2031fading.yaml", 3, "bad-date"),
        ("lindqvist2031fading.yaml", 8, "needs-quotes"),
        ("lindqvist2031fading.yaml", 8, "unknown-dataset"),
        ("lindqvist2031fading.yaml", 18, "unknown-implementation"),
        ("lindqvist2031fading.yaml", 18, "unknown-value"),
        ("okonkwo2032gardens.yaml", 4, "unknown-type"),
        ("tab2033file.yaml", 1, "tab"),
        ("notes.txt", 1, "stray-file"),
        ("broken.py", 1, "bad-python"),
        ("broken.json", 1, "bad-result"),
    }


def test_nothing_is_written_while_there_are_errors(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.fading, "type: method", "type: meth")
    before = set(checkout.root.rglob("*"))
    ran = run("build")
    assert ran.status == 1
    assert "unknown-type" in ran.err
    assert set(checkout.root.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("papers/2031/x.yml", "does not end in .yaml"),
        ("papers/zhang2031word.yaml", "not in a year's folder"),
        ("papers/2031/deep/zhang2031word.yaml", "not in a year's folder"),
        ("papers/2031/Zhang_2031.yaml", "is no id"),
    ],
)
def test_stray_files(name: str, message: str, checkout: Checkout) -> None:
    checkout.add(name, FADING)
    assert any(message in problem.message and problem.file == name for problem in checkout.problems())


def test_links_out_of_the_checkout_are_not_followed(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("secret: 1\n")
    (checkout.root / "papers/2031/secret2031word.yaml").symlink_to(tmp_path / "secret.yaml")
    (checkout.root / "papers/2034").symlink_to(tmp_path)
    found = [(problem.file, problem.code) for problem in checkout.problems()]
    assert found == [("papers/2031/secret2031word.yaml", "stray-file"), ("papers/2034", "stray-file")]


def test_file_names_cannot_forge_lines(checkout: Checkout) -> None:
    checkout.add("papers/2031/a\nb: error.yaml", "x")
    assert [problem.file for problem in checkout.problems() if "\\n" in problem.file] == [
        "papers/2031/a\\nb: error.yaml"
    ]


def test_annotations_for_the_code_host(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.fading, "[tofu]", "[tofv]")
    ran = run("validate", "--format", "github")
    place = f"::error file={FILE},line=8,col=12,title=unknown-dataset::"
    assert ran.out.startswith(f"{place}unknown dataset 'tofv'. Did you mean 'tofu'?")


def test_a_file_without_an_id_is_one_problem(checkout: Checkout) -> None:
    """The stand-in for its id is nobody's business."""
    checkout.fading.rename(checkout.root / "papers/2031/Fading Out.yaml")
    checkout.gardens.rename(checkout.root / "papers/2032/Gardens.yaml")
    said = [one.message for one in checkout.problems()]
    assert [one for one in said if "is no id" in one] == [
        "the file's name 'Fading Out' is no id",
        "the file's name 'Gardens' is no id",
    ]
    assert not [one for one in said if "xx0001" in one]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_not_waited_for(checkout: Checkout, run: Run) -> None:
    os.mkfifo(checkout.root / "papers/2031/pipe2031a.yaml")
    (checkout.root / "papers/2031/folder2031a.yaml").mkdir()
    signal.alarm(20)
    try:
        assert run("fmt", "--check").status == 1
        assert run("preview", "papers").status == 1
        assert "pipe2031a.yaml:1:1: error[stray-file] is not a plain file" in run("validate").out
    finally:
        signal.alarm(0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    "name",
    [
        "reference_impls/results/gardens/tiny/fade-0.json",
        "reference_impls/results/x.json",
        "reference_impls/tasks/gardens/search.json",
        "reference_impls/tasks/gardens/smollm2/search.json",
        "reference_impls/tasks/gardens/pools.json",
        "reference_impls/models/architectures.json",
        "reference_impls/methods/gradient_ascent/other.py",
        "reference_impls/methods/gradient_ascent/__init__.py",
        "catalog/vocabularies/family.yaml",
    ],
)
@pytest.mark.parametrize("kind", ["folder", "link to nothing", "link to itself", "link to a folder", "pipe", "device"])
def test_what_is_no_plain_file_is_one_problem_beside_others(name: str, kind: str, checkout: Checkout) -> None:
    shutil.copytree(REPOSITORY / "catalog/vocabularies", checkout.root / "catalog/vocabularies")
    checkout.change(checkout.fading, "[privacy]", "[privac]")
    others = {problem.code for problem in checkout.problems()}
    path = checkout.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        to = {
            "link to nothing": "nothing",
            "link to itself": path.name,
            "link to a folder": "..",
            "device": "/dev/zero",
        }
        path.symlink_to(to[kind])
    signal.alarm(20)
    try:
        problems = checkout.problems()
    finally:
        signal.alarm(0)
    code = "bad-python" if name.endswith(".py") else "unreadable"
    assert [problem.code for problem in problems if problem.file == name] == [code]
    if not name.startswith("catalog/"):
        assert others <= {problem.code for problem in problems}


def test_json_of_any_size_is_not_read_whole(checkout: Checkout) -> None:
    with open(checkout.add("reference_impls/results/gardens/tiny/fade-0.json", ""), "wb") as file:
        file.truncate(10**12)
    (problem,) = checkout.problems()
    assert (problem.code, "1,000,000,000,000 bytes" in problem.message) == ("too-large", True)


@pytest.mark.parametrize(
    "words",
    [
        ("show", "\udcff"),
        ("search", "forget", "\udcff"),
        ("search", "forget", "--target", "priv\udcffacy"),
        ("move", "\udcff", "lindqvist2031gentle"),
        ("move", "lindqvist2031fading", "lindqvist2031\udcff"),
        ("remove", "lindqvist2031fading", "--reason", "dup \udcff"),
        ("update", "\udcff"),
        ("links", "\udcff"),
        ("add", "3104.0\udcff"),
        ("new", "x\udcff2031y"),
        ("validate", "papers/\udcff.yaml"),
        ("validate", "--format", "\udcff"),
        ("validate", "--root=\udcff"),
    ],
    ids=ascii,
)
def test_bytes_that_are_no_text_are_named(words: tuple[str, ...], checkout: Checkout, run: Run) -> None:
    before = sorted(checkout.root.rglob("*"))
    ran = run(*words)
    assert (ran.status, "is no text in UTF-8" in ran.err, "\\udcff" in ran.err) == (2, True, True), ran.err
    assert sorted(checkout.root.rglob("*")) == before


def test_a_file_may_have_any_name(checkout: Checkout, run: Run) -> None:
    for name in ("papers/2031/\udcff.yaml", "\udcff"):
        (checkout.root / os.fsencode(name).decode("utf-8", "surrogateescape")).write_text("x")
    assert run("validate", "papers/2031/\udcff.yaml").status != 2
    assert "\\udcff.yaml:1:1: error" in run("validate").out
    (checkout.root / "papers/2031/\udcff.yaml").unlink()
    assert run("show", "\udcff").status == 2


@pytest.mark.parametrize("age", ["800000", "-1", "9" * 30, "x"])
@pytest.mark.parametrize("command", ["update", "links"])
def test_nobody_looks_back_for_ever(command: str, age: str, run: Run) -> None:
    assert run(command, "lindqvist2031fading", "--age", age).status == 2


@pytest.mark.parametrize(
    "address",
    [
        "http://[::1",
        "https://[::1]/a",
        "https://[example.org]/a",
        "https://example.org:port/a",
        "https://example.org:99999999/a",
        "https://./a",
        "https://../a",
        "https://a..org/b",
        "https://.org",
        "https:///a.b",
        "https://ex ample.org",
        "https://a\\u3000b.org",
        "https://user@example.org",
        "//example.org/a",
        "https:example.org",
        "https://localhost/a",
    ],
)
def test_an_address_is_one_that_a_browser_opens(address: str, checkout: Checkout) -> None:
    checkout.change(checkout.fading, "https://example.org/lindqvist/fading", f'"{address}"')
    (problem,) = checkout.problems()
    assert (problem.code, problem.line) == ("bad-link", 11)
    assert problem.hint


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org",
        "http://example.org:8080/a?b=c#d",
        "https://xn--bcher-kva.example/a",
        "https://bücher.example/ü",
        "https://example.org./a",
        "https://127.0.0.1/a",
        "https://ja.wikipedia.org/wiki/忘却",
    ],
)
def test_addresses_that_browsers_open(address: str, checkout: Checkout) -> None:
    checkout.change(checkout.fading, "https://example.org/lindqvist/fading", f'"{address}"')
    assert not [problem for problem in checkout.problems() if problem.severity == "error"]


def test_vocabulary_of_the_checkout(checkout: Checkout) -> None:
    from catalog.model.vocabulary import FOLDER

    own = checkout.root / "catalog/vocabularies"
    shutil.copytree(FOLDER, own)
    (own / "target.yaml").write_text("- {id: privacy, label: Privacy}\n- {id: privacy, label: P, definition: Again.}\n")
    found = [
        (one.file, one.line, one.column, one.code)
        for one in checkout.problems()
        # The papers that introduce our data sets are not in the small checkout.
        if one.severity == "error" and one.code != "dataset-of-unknown"
    ]
    assert found == [("catalog/vocabularies/target.yaml", 1, 3, "missing-key")]
    (own / "target.yaml").write_text(
        "- {id: privacy, label: P, definition: D.}\n- {id: privacy, label: P, definition: D.}\n"
    )
    assert ("duplicate-term", 2) in [(one.code, one.line) for one in checkout.problems()]
