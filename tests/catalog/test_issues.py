"""``catalog from-issue``: forms in, files out, and a clear word where that cannot be."""

from __future__ import annotations

import json
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
from catalog.intake.issues import IssueError, issue_text, read_answers, read_forms
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "not written with one of the forms"),
        ("", "not written with one of the forms"),
        (body("add-paper"), "names no paper"),
        (body("add-paper", paper="my paper"), "names no paper"),
        (body("add-paper", paper="9999.00001"), "may be|knows no such|does not|is there|cannot"),
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
    assert any(part in plain for part in said.split("|")), ran.out
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
    simple = set(Record.model_fields) - {"links", "provenance", "former_titles", "implementations"}
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
