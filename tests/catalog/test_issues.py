"""``catalog from-issue``: forms in, files out, and a clear word where that cannot be."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import answers
import pytest
import yaml
from command_runs import Ran, Run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from issue_bodies import FORMS, body
from local_server import Server
from small_checkout import REPOSITORY, Checkout

from catalog.base.project import Project
from catalog.intake.forms import IssueError, issue_text, read_answers, read_forms
from catalog.model.paper import Links, Record
from catalog.model.vocabulary import load_vocabularies

FILE = "papers/2031/lindqvist2031moonlit.yaml"
RESULT = {
    "method": "fade", "task": "gardens", "model": "tiny", "seed": 7, "hyperparameters": {"weight": 0.5},
    "metrics": {"forget_rouge": 0.1}, "seconds": 1.5, "peak_memory_bytes": 1000, "versions": {"torch": "2"},
    "command": "unlearn run fade --seed 7",
}  # fmt: skip


@pytest.fixture
def from_issue(server: Server, checkout: Checkout, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.setenv("CATALOG_MIRRORS", answers.as_variable(answers.mirrors(server)))
    monkeypatch.setenv("CATALOG_TIMEOUT", "0.5")
    shutil.copytree(FORMS, checkout.root / ".github/ISSUE_TEMPLATE")
    server["/export.arxiv.org/api/query"] = answers.atom(answers.entry("3104.05678"))

    def call(text: str, *arguments: str) -> Ran:
        return run(
            "from-issue", str(checkout.add("build/issue.json", json.dumps({"issue": {"body": text}}))), *arguments
        )

    return call


def test_a_paper_with_nothing_but_its_address(checkout: Checkout, from_issue: Callable[..., Ran], run: Run) -> None:
    ran = from_issue(body("add-paper", paper="https://arxiv.org/abs/3104.05678"), "--title-file", "build/title")
    assert ran.status == 0, ran.out
    assert f"The record is `{FILE}`." in ran.out
    assert 'datasets: `tofu`, for "TOFU" in the abstract' in ran.out
    assert (checkout.root / "build/title").read_text() == "Add lindqvist2031moonlit\n"
    assert run("validate").status == 0


def test_a_paper_with_all_answers(checkout: Checkout, from_issue: Callable[..., Ran], run: Run) -> None:
    text = body(
        "add-paper",
        paper="3104.05678",
        type="Method",
        family="Preference optimization, Representation steering",
        targets="Privacy",
        datasets="TOFU, wmdp",
        code="https://github.com/lindqvist/moonlit",
        method="Moonlit",
        mechanism="Forgets  by night.",
        summary="Forgets by night.\nWakes up new.",
    )
    assert from_issue(text).status == 0
    shown = json.loads(run("show", "lindqvist2031moonlit", "--json").out)
    assert shown["family"] == ["preference-optimization", "representation"]
    assert shown["datasets"] == ["tofu", "wmdp"]
    assert shown["summary"] == "Forgets by night. Wakes up new."
    assert shown["method"] == {"name": "Moonlit", "mechanism": "Forgets by night.", "builds_on": []}
    assert "suggested" not in "".join(
        line for line in (checkout.root / FILE).read_text().splitlines() if "family" in line or "datasets" in line
    )
    assert run("validate").status == 0


def test_a_correction(checkout: Checkout, from_issue: Callable[..., Ran], run: Run) -> None:
    run("fmt")
    text = body(
        "correct-record",
        record="https://example.org/papers/lindqvist2031fading.html#top",
        field="authors",
        value="Åsa Lindqvist\nTomé van der Ávila",
        source="the title page",
    )
    assert from_issue(text).status == 0
    after = checkout.fading.read_text(encoding="utf-8")
    assert "# by hand: the title page\nauthors: [Åsa Lindqvist, Tomé van der Ávila]\n" in after
    assert run("validate").status == 0
    assert run("fmt", "--check").status == 0
    for field, value, wanted in (
        ("links.code", "https://github.com/a/b", "code: https://github.com/a/b"),
        ("datasets", "- tofu\n- muse", "datasets: [tofu, muse]"),
        ("state", "{kind: withdrawn, date: 2031-07}", "kind: withdrawn"),
        ("title", "Fading: Out", 'title: "Fading: Out"'),
        ("venue", "Findings of EMNLP 2033", "venue: {id: emnlp, year: 2033, track: findings}"),
        ("venue", "{id: acl, year: 2034}", "venue: {id: acl, year: 2034}"),
    ):
        text = body("correct-record", record="lindqvist2031fading", field=field, value=value, source="x")
        assert from_issue(text).status == 0, field
        assert wanted in checkout.fading.read_text(encoding="utf-8")
    assert run("validate").status == 0


def test_a_request(checkout: Checkout, from_issue: Callable[..., Ran]) -> None:
    ran = from_issue(body("request-implementation", paper="lindqvist2031fading"), "--title-file", "build/title")
    assert (ran.status, "is there" in ran.out) == (0, True)
    assert (checkout.root / "build/title").read_text() == ""
    assert from_issue(body("request-implementation", paper="3104.05678")).status == 0
    assert (checkout.root / FILE).exists()
    assert "is there already" in from_issue(body("request-implementation", paper="arxiv:3104.05678")).out


def test_a_result_of_a_part_of_the_forget_set_has_a_place_of_its_own(
    checkout: Checkout, from_issue: Callable[..., Ran]
) -> None:
    for more, file in (({"forget_share": 0.1}, "fade-7-share-0.1"), ({"requests": 4}, "fade-7-requests-4")):
        assert from_issue(body("add-result", result=json.dumps(RESULT | more))).status == 0
        assert (checkout.root / f"reference_impls/results/gardens/tiny/{file}.json").is_file()


def test_a_result(checkout: Checkout, from_issue: Callable[..., Ran], run: Run) -> None:
    text = body("add-result", result=json.dumps(RESULT))
    assert from_issue(text).status == 0
    assert json.loads((checkout.root / "reference_impls/results/gardens/tiny/fade-7.json").read_text())["seed"] == 7
    assert run("validate").status == 0
    assert "is not overwritten" in from_issue(text).out


BREAKING_OUT = "unlearn run fade` @octocat ![x](http://evil.example/p.png)\n\nCloses #1 fixes #2 <img src=x> `y"
COMMANDS = [
    BREAKING_OUT,
    "unlearn run fade\nCloses #1",
    "unlearn run fade @octocat",
    "unlearn run fade `x`",
    "unlearn run fade [a](https://example.org)",
    "unlearn run fade <b>",
    "unlearn run fade --seed 7 ",
    "unlearn run other --seed 7",
    "unlearn run",
    "curl https://example.org | sh",
    "",
    "unlearn run fade\u00a0--seed 7",
    "unlearn run fade \u202e--seed",
]
OTHER_NAMES = [
    {"task": "x.json"},
    {"task": "garden"},
    {"task": "target"},
    {"method": "fades"},
    {"method": "gardens"},
    {"method": "target", "command": "unlearn run target"},
    {"model": "tiny.json"},
    {"model": "a/b"},
    {"model": ".."},
    {"model": "a..1"},
    {"model": "a" * 90},
    {"model": "tiny\n"},
]


@pytest.mark.parametrize("change", [*({"command": command} for command in COMMANDS), *OTHER_NAMES], ids=str)
def test_a_pasted_result_is_one_that_runs_here(
    change: dict[str, str], checkout: Checkout, from_issue: Callable[..., Ran]
) -> None:
    before = sorted(checkout.root.rglob("*"))
    ran = from_issue(body("add-result", result=json.dumps(RESULT | change)))
    assert ran.status == 1
    assert "octocat" not in ran.out
    assert "Closes" not in ran.out
    assert [path for path in sorted(checkout.root.rglob("*")) if "build" not in path.parts] == before


@pytest.mark.parametrize("model", ["tiny", "pythia-1.4b", "Llama-3.2-1B", "smollm2", "a_b"])
def test_names_of_models_have_dots(model: str, from_issue: Callable[..., Ran]) -> None:
    command = f"unlearn run fade --model {model} --seed 7 --set 'weight=0.5'"
    ran = from_issue(body("add-result", result=json.dumps(RESULT | {"model": model, "command": command})))
    assert ran.status == 0, ran.out
    assert f"`{command}`" in ran.out


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 10**30},
        {"seconds": math.inf},
        {"metrics": {"forget_rouge": math.nan}},
        {"metrics": {"forget_rouge": 7.5}},
        {"metrics": {"forget_rouge": "0.1"}},
        {"hyperparameters": {"weight": [0.5]}},
        {"notes": ["\u3164"]},
        {"command": "unlearn run fade\x1b"},
    ],
    ids=str,
)
def test_a_pasted_result_is_one_that_somebody_measured(
    change: dict[str, object], checkout: Checkout, from_issue: Callable[..., Ran]
) -> None:
    definitions = (REPOSITORY / "reference_impls/metrics/metrics.yaml").read_bytes()
    checkout.add("reference_impls/metrics/metrics.yaml", definitions)
    ran = from_issue(body("add-result", result=json.dumps(RESULT | change)))
    assert (ran.status, f"{next(iter(change))}" in ran.out.replace("\\", "")) == (1, True), ran.out


def test_what_people_write_calls_nobody_in_the_answer(checkout: Checkout, from_issue: Callable[..., Ran]) -> None:
    said = "Thanks @octocat, closes #1, GH-2 ![x](http://evil.example/p.png) <img src=x> `y`"
    for given_answers in (
        {"paper": f"3104.05678 {said}"},
        {"paper": "3104.05678", "code": f"https://github.com/a/b {said}"},
    ):
        ran = from_issue(body("add-paper", **given_answers))
        assert not re.search(r"@\w|(?<!&)#\d|GH-\d|<img|!\[x\]|`y`", ran.out), ran.out
        (checkout.root / FILE).unlink(missing_ok=True)
    change = {
        "record": "lindqvist2031fading",
        "field": "authors",
        "value": "Åsa Lindqvist; @octocat Smith",
        "source": "x",
    }
    ran = from_issue(body("correct-record", **change))
    assert not re.search(r"@\w", ran.out), ran.out


@pytest.mark.parametrize(
    "value",
    ["https://example.org/a\x00b", "https://example.org/a\x1b]0;x\x07", "https://example.org/\u202ea", "https://[::1"],
)
def test_a_link_of_a_correction_can_be_seen(value: str, checkout: Checkout, from_issue: Callable[..., Ran]) -> None:
    before = checkout.fading.read_bytes()
    text = body("correct-record", record="lindqvist2031fading", field="links.code", value=value, source="x")
    assert from_issue(text).status == 1
    assert checkout.fading.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "not written with one of the forms"),
        ("", "not written with one of the forms"),
        (body("add-paper"), "names no paper"),
        (body("add-paper", paper="my paper"), "names no paper"),
        (body("add-paper", paper="9999.00001"), "this cannot be an arXiv id: there is no month 99"),
        (body("add-paper", paper="3104.99999"), "gives no answer about it this time"),
        (body("add-paper", paper="3104.01234"), "is there already: papers/2031/lindqvist2031fading.yaml"),
        (body("add-paper", paper="3104.05678", datasets="TOFV"), "Did you mean 'tofu'"),
        (body("add-paper", paper="3104.05678", code="javascript:alert(1)"), "bad-link"),
        (body("add-paper", paper="3104.05678", summary="<script>x</script>"), "html-in-text"),
        (body("correct-record", record="nobody2031x", field="title", value="x", source="y"), "there is no record"),
        (body("correct-record", record="../../etc/passwd", field="title", value="x", source="y"), "there is no record"),
        (body("correct-record", record="lindqvist2031fading", field="titel", value="x", source="y"), "Did you mean"),
        (body("correct-record", record="lindqvist2031fading", field="title", source="y"), "needs the right value"),
        (body("correct-record", record="lindqvist2031fading", field="date", value="soon", source="y"), "bad-date"),
        (
            body("correct-record", record="lindqvist2031fading", field="state", value="{a: *b", source="y"),
            "cannot be read",
        ),
        (
            body("correct-record", record="lindqvist2031fading", field="venue", value="Moon", source="y"),
            "no venue and year",
        ),
        (body("add-result", result="{}"), "method: Field required"),
        (body("add-result", result=json.dumps({**RESULT, "task": "../../x"})), "other signs"),
        (body("request-implementation", paper="nonsense"), "names no paper"),
    ],
)
def test_what_cannot_be_done_is_said(text: str, said: str, checkout: Checkout, from_issue: Callable[..., Ran]) -> None:
    before = {
        path: path.read_bytes() for path in checkout.root.rglob("*.*") if path.is_file() and "build" not in path.parts
    }
    ran = from_issue(text)
    assert ran.status == 1
    plain = ran.out.replace("\\", "")
    assert said in plain, ran.out
    after = {
        path for path in checkout.root.rglob("*.*") if path.is_file() and not {"build", ".cache"} & set(path.parts)
    }
    assert after == set(before)
    assert all(path.read_bytes() == content for path, content in before.items())


@given(st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_an_issue_or_none(text: str) -> None:
    forms = read_forms(Project(REPOSITORY))
    for one in (text, "{" + text, body("add-paper", paper=text)):
        with suppress(IssueError):
            assert read_answers(issue_text(one), forms)[0] in forms


# What people write, whole ---------------------------------------------------------------------------------

OTHER = "https://arxiv.org/abs/3104.05679"
TWO_ENTRIES = "@misc{a, title={Rain}}\n\n@misc{b, title={Snow}}"


@pytest.mark.parametrize(
    "paper",
    [
        f"https://arxiv.org/abs/3104.05678 {OTHER}",
        f"https://arxiv.org/abs/3104.05678\n{OTHER}",
        f"https://arxiv.org/abs/3104.05678,{OTHER}",
        f"https://arxiv.org/abs/3104.05678{OTHER}",
        "arxiv.org/abs/3104.05678;arxiv.org/abs/3104.05679",
        "3104.05678, 3104.05679",
        "3104.05678 and 3104.05679 belong together",
        f"[Moonlit](https://arxiv.org/abs/3104.05678) and <{OTHER}>",
        "doi:10.5555/moonlit.12 arXiv: 3104.05679",
    ],
)
def test_two_papers_in_one_answer_are_refused_by_name(
    paper: str, checkout: Checkout, from_issue: Callable[..., Ran], server: Server
) -> None:
    for form in ("add-paper", "request-implementation"):
        ran = from_issue(body(form, paper=paper))
        assert ran.status == 1
        assert "names 2 papers" in ran.out
        assert "arxiv:3104.05679" in ran.out
        assert ("arxiv:3104.05678" in ran.out) or ("doi:10.5555/moonlit.12" in ran.out)
    assert server.asked == []
    assert not (checkout.root / FILE).exists()


def test_two_entries_in_one_answer_are_refused_by_name(from_issue: Callable[..., Ran]) -> None:
    for paper in (TWO_ENTRIES, f"```bibtex\n{TWO_ENTRIES}\n```", f"@misc{{a, title={{Rain}}}}\n{OTHER}"):
        ran = from_issue(body("add-paper", paper=paper))
        assert (ran.status, "names 2 papers: the BibTeX entry a, " in ran.out) == (1, True), ran.out


@pytest.mark.parametrize(
    ("answers_given", "told"),
    [
        ({"paper": "https://arxiv.org/abs/3104.05678 (a fine paper)"}, "'(a fine paper)'; no file holds that"),
        ({"paper": "https://arxiv.org/abs/3104.05678\n\nIt forgets."}, "'It forgets.'; no file holds that"),
        (
            {"paper": "3104.05678", "mechanism": "Forgets by night."},
            "what the method does to the model ('Forgets by night.'), and not what it is called",
        ),
        (
            {"paper": "3104.05678", "code": "https://github.com/a/b (needs a GPU)"},
            "Of 'https://github.com/a/b (needs a GPU)' the record holds the address alone.",
        ),
    ],
)
def test_what_is_not_used_is_told(
    answers_given: dict[str, str], told: str, checkout: Checkout, from_issue: Callable[..., Ran], run: Run
) -> None:
    ran = from_issue(body("add-paper", **answers_given))
    assert (ran.status, told in ran.out) == (0, True), ran.out
    text = (checkout.root / FILE).read_text(encoding="utf-8")
    assert answers_given.get("mechanism", "") in text
    assert answers_given.get("code", "").partition(" ")[0] in text
    assert run("validate").status == 0


def test_answers_that_no_file_holds_are_named(checkout: Checkout, from_issue: Callable[..., Ran]) -> None:
    request = {"official": "https://github.com/a/moonlit", "why": "Nothing here forgets by night."}
    ran = from_issue(body("request-implementation", paper="3104.05678", **request))
    assert ran.status == 0
    assert "No file holds what you wrote under *Why this one*; it stays in this issue." in ran.out
    assert "code: https://github.com/a/moonlit" in (checkout.root / FILE).read_text(encoding="utf-8")
    ran = from_issue(body("request-implementation", paper="lindqvist2031fading", **request))
    assert "under *Official code*, *Why this one*" in ran.out
    ran = from_issue(body("add-result", result=json.dumps(RESULT), setting="On a small machine."))
    assert "No file holds what you wrote under *Machine and remarks*" in ran.out


@pytest.mark.parametrize(
    ("given_answers", "said"),
    [
        (
            {"code": "https://github.com/a/b https://github.com/c/d"},
            "https://github.com/a/b and https://github.com/c/d",
        ),
        ({"code": "https://github.com/a/b\nhttps://github.com/c/d"}, "keep one"),
        ({"type": "Method, Attack"}, "one primary contribution"),
    ],
)
def test_more_than_a_field_holds(given_answers: dict[str, str], said: str, from_issue: Callable[..., Ran]) -> None:
    ran = from_issue(body("add-paper", paper="3104.05678", **given_answers))
    assert (ran.status, said in ran.out.replace("\\", "")) == (1, True), ran.out


def test_a_correction_is_taken_whole_or_refused(checkout: Checkout, from_issue: Callable[..., Ran]) -> None:
    long = "Section 3, and the appendix; " * 8
    text = body("correct-record", record="lindqvist2031fading", field="date", value="2031-05", source=long)
    assert from_issue(text).status == 0
    assert long.strip() in checkout.fading.read_text(encoding="utf-8")
    for changed, said in (
        ({"source": long * 3}, "in at most 300"),
        ({"record": "lindqvist2031fading\nokonkwo2032gardens"}, "there is no record"),
        ({"field": "links.code", "value": "https://github.com/a/b\nhttps://github.com/c/d"}, "one address or id"),
        ({"field": "links.arxiv", "value": "3104.01234 3104.01235"}, "one address or id"),
    ):
        given_answers = {"record": "lindqvist2031fading", "field": "date", "value": "2031-05", "source": "x", **changed}
        ran = from_issue(body("correct-record", **given_answers))
        assert (ran.status, said in ran.out) == (1, True), ran.out


def test_a_heading_in_an_answer_stays_there(checkout: Checkout, from_issue: Callable[..., Ran], run: Run) -> None:
    summary = "Forgets by night.\n\n### Results\n\nNothing is left.\n\n### Paper\n\nIt is short."
    ran = from_issue(body("add-paper", paper="3104.05678", summary=summary, method="Moonlit"))
    assert ran.status == 0, ran.out
    shown = json.loads(run("show", "lindqvist2031moonlit", "--json").out)
    assert shown["summary"] == "Forgets by night. ### Results Nothing is left. ### Paper It is short."
    assert shown["method"]["name"] == "Moonlit"


FORM = next(one for one in read_forms(Project(REPOSITORY)) if one.name == "add-paper")
pieces = st.lists(st.sampled_from(["a", "### Results", "### ", "#### Paper", "b\nc", "## Summary", "###x"]), min_size=1)


@given(st.dictionaries(st.sampled_from(sorted(FORM.questions.values())), pieces, min_size=1))
def test_every_answer_comes_back_whole(given_pieces: dict[str, list[str]]) -> None:
    said = {name: "\n\n".join(some).strip() for name, some in given_pieces.items()}
    form, found = read_answers(body("add-paper", **said), read_forms(Project(REPOSITORY)))
    assert (form.name, found) == ("add-paper", said)


def test_questions_in_another_order() -> None:
    parts = body("add-paper", paper="3104.05678", summary="Short.", code="https://a.org").split("\n\n### ")
    text = "\n\n### ".join(["", *reversed(parts)]).replace("### ### ", "### ")
    assert read_answers(text, read_forms(Project(REPOSITORY)))[1] == {
        "paper": "3104.05678",
        "summary": "Short.",
        "code": "https://a.org",
    }


@pytest.mark.parametrize(
    ("value", "authors"),
    [
        ("Lindqvist, Åsa; van der Ávila, Tomé", "[Åsa Lindqvist, Tomé van der Ávila]"),
        ("Åsa Lindqvist and Tomé van der Ávila", "[Åsa Lindqvist, Tomé van der Ávila]"),
        ("Åsa Lindqvist, Tomé van der Ávila, Ann Roe", "[Åsa Lindqvist, Tomé van der Ávila, Ann Roe]"),
        ("Åsa Lindqvist\nSmith, Jr., Robert", "[Åsa Lindqvist, Robert Smith Jr.]"),
        ("Lindqvist, Åsa", "[Åsa Lindqvist]"),
        ("Åsa Lindqvist, Jr.", "[Åsa Lindqvist Jr.]"),
        ("- Åsa Lindqvist\n- The Garden Team", "[Åsa Lindqvist, The Garden Team]"),
        ("[Åsa Lindqvist, Ann Roe]", "[Åsa Lindqvist, Ann Roe]"),
    ],
)
def test_corrected_authors(
    value: str, authors: str, checkout: Checkout, from_issue: Callable[..., Ran], run: Run
) -> None:
    text = body("correct-record", record="lindqvist2031fading", field="authors", value=value, source="title page")
    ran = from_issue(text)
    assert ran.status == 0, ran.out
    assert f"\nauthors: {authors}\n" in checkout.fading.read_text(encoding="utf-8")
    assert f"It has {authors.count(',') + 1}: {authors[1:-1].replace(',', ';')}." in ran.out
    assert "odd-author" not in run("validate", "papers/2031").out


def test_authors_that_can_be_read_in_several_ways_are_asked_about(from_issue: Callable[..., Ran]) -> None:
    value = "Åsa Lindqvist, Plato, Ann Roe"
    text = body("correct-record", record="lindqvist2031fading", field="authors", value=value, source="x")
    ran = from_issue(text)
    assert (ran.status, "each author on a line of its own" in ran.out) == (1, True)


# The forms themselves ---------------------------------------------------------------------------------


def form(name: str) -> dict[str, list[str]]:
    parts = yaml.safe_load((FORMS / f"{name}.yml").read_text(encoding="utf-8"))["body"]
    return {part["id"]: part["attributes"].get("options", []) for part in parts}


def test_choices_are_the_vocabularies_terms() -> None:
    vocabularies = load_vocabularies()
    for question, name in (("type", "type"), ("family", "family"), ("targets", "target")):
        labels = [term.label for term in vocabularies[name].terms]
        assert form("add-paper")[question] == labels, f"add-paper.yml, {question}: list the labels of {name}.yaml"
        assert not any("," in label for label in labels), "commas separate several choices"


def test_every_field_can_be_corrected() -> None:
    # When it came in is nobody's correction.
    simple = set(Record.model_fields) - {"links", "provenance", "former_titles", "implementations", "added"}
    assert set(form("correct-record")["field"]) == simple | {f"links.{key}" for key in Links.model_fields}


def test_forms_have_labels_of_their_own() -> None:
    names = set()
    for path in Path(FORMS).glob("*.yml"):
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.stem != "config":
            labels = [part["attributes"]["label"] for part in given["body"]]
            assert len(labels) == len(set(labels))
            names.add(tuple(given["labels"]))
    assert len(names) == 4
