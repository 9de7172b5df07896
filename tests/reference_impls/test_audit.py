"""Audits: verdicts by a table, models of which the answer is known, and the report."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command_runs import Run
from unlearning_toys import invented_pairs, write_rows

from reference_impls.measuring.intervals import Estimate
from reference_impls.running.audit import Audit, Finding, Verdict, audit, judge, source_of
from reference_impls.running.audit_report import render, summary
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import LanguageModel


def at(value: float, reach: float = 0.05) -> Estimate:
    return Estimate(value=value, low=value - reach, high=value + reach, count=9)


@pytest.mark.parametrize(
    ("before", "after", "control", "verdict"),
    [
        (0.9, 0.4, 0.4, "like never seen"),
        (0.9, 0.44, 0.4, "like never seen"),
        (0.9, 0.6, 0.4, "fainter"),
        (0.9, 0.9, 0.4, "still there"),
        (0.9, 0.87, 0.4, "still there"),
        (0.9, 0.1, 0.4, "below never seen"),
        (0.42, 0.42, 0.4, "says nothing"),
        (0.3, 0.3, 0.4, "says nothing"),
        (0.9, 0.89, None, "still there"),
        (0.9, 0.4, None, "no control"),
    ],
)
def test_a_verdict_says_which_of_the_others_a_model_is_like(
    before: float, after: float, control: float | None, verdict: Verdict
) -> None:
    assert judge(at(before), at(after), None if control is None else at(control)) == verdict


@pytest.mark.parametrize("control", [None, 0.4])
def test_one_question_has_no_verdict(control: float | None) -> None:
    few = at(0.9).model_copy(update={"count": 1})
    compared = None if control is None else at(control)
    assert judge(few, at(0.4), compared) == judge(at(0.9), few, compared) == "too few questions"
    never = Estimate(value=0.5, low=0.5, high=0.5, count=0)  # known, and not measured
    assert judge(at(0.9), at(0.9), never) == "still there"


@pytest.mark.parametrize("value", [0.0, 0.002, 0.1, 0.28])
def test_without_a_control_what_was_never_known_is_not_still_there(value: float) -> None:
    assert judge(at(value), at(value), None) == "no control"


def test_one_row_gives_no_verdict(tmp_path: Path, own: FilesTask, tiny: LanguageModel, learned: LanguageModel) -> None:
    one, other = invented_pairs()[0], invented_pairs()[6]
    write_rows(tmp_path / "one", [one])
    write_rows(tmp_path / "other", [other])
    found = audit(tiny, learned, FilesTask(tmp_path / "one", None, tmp_path / "other"))
    by_id = {finding.id: finding.verdict for finding in found.findings}
    assert {by_id["known"], by_id["written"]} == {"too few questions"}
    assert not set(by_id.values()) & {"still there", "fainter", "below never seen", "like never seen"}
    assert all(finding.before.low < finding.before.high for finding in found.findings if finding.id == "known")
    assert "too few" in summary(found)


def test_a_model_that_never_knew_is_told_of(tmp_path: Path, own: FilesTask, tiny: LanguageModel) -> None:
    found = audit(tiny, tiny, FilesTask(tmp_path / "forget"))
    assert {one.verdict for one in found.findings} == {"no control"}
    assert "does not give these answers" in found.notes[0]


@pytest.fixture
def own(tmp_path: Path) -> FilesTask:
    pairs = invented_pairs()
    for name, rows in (("forget", pairs[:4]), ("retain", pairs[4:6]), ("holdout", pairs[6:])):
        write_rows(tmp_path / name, rows)
    return FilesTask(tmp_path / "forget", tmp_path / "retain", tmp_path / "holdout")


def test_a_model_that_never_learned_is_like_one_that_never_saw(
    own: FilesTask, tiny: LanguageModel, learned: LanguageModel
) -> None:
    found = audit(tiny, learned, own, reference=tiny)
    verdicts = {one.id: one.verdict for one in found.findings}
    assert verdicts["known"] == "like never seen"
    assert verdicts["relearning"] == "like never seen"
    assert set(verdicts.values()) <= {"like never seen", "says nothing"}
    assert "without the data" in found.control


def test_the_model_itself_has_everything_still_there(
    own: FilesTask, tiny: LanguageModel, learned: LanguageModel
) -> None:
    found = audit(learned, learned, own, reference=tiny)
    assert {one.id: one.verdict for one in found.findings}["known"] == "still there"
    assert not {one.verdict for one in found.findings} & {"like never seen", "fainter"}
    assert [one.change.value for one in found.kept] == [0.0]


def test_without_a_reference_held_out_data_is_the_control(own: FilesTask, learned: LanguageModel) -> None:
    found = audit(learned, learned, own)
    assert "held-out data" in found.control
    by_id = {one.id: one for one in found.findings}
    known = by_id["known"].control
    assert known is not None
    assert known.count == 2
    assert by_id["membership_loss"].control == Estimate(value=0.5, low=0.5, high=0.5, count=0)
    assert "Comparison with a retrained model" in found.not_tested


def test_without_any_control_nothing_is_called_forgotten(
    tmp_path: Path, own: FilesTask, tiny: LanguageModel, learned: LanguageModel
) -> None:
    found = audit(tiny, learned, FilesTask(tmp_path / "forget"))
    assert {one.verdict for one in found.findings} <= {"no control", "still there"}
    assert "not whether it was forgotten" in summary(found)
    assert found.kept == ()
    assert "Membership inference" in found.not_tested


class Elements(HTMLParser):
    """Which elements are open, and all text."""

    VOID = frozenset(("meta", "br", "line", "circle"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _audit(**changes: object) -> Audit:
    finding = Finding(
        id="known", title="<b>Asked", meaning="m", before=at(0.9), after=at(0.4), control=at(0.4),
        verdict="like never seen",
    )  # fmt: skip
    plain = Audit(
        model="new", original="old", control="held-out data", findings=(finding,), kept=(),
        examples=(("Who?", "</td>Ana", "Ana", "<script>"),), not_tested={"Other words": "none"}, notes=(),
        sources=(), seed=0, versions={"torch": "1"}, command="unlearn audit new",
    )  # fmt: skip
    return plain.model_copy(update=changes)


def test_the_report_is_whole_html_and_texts_stay_texts() -> None:
    page = Elements()
    page.feed(render(_audit()))
    assert page.open == []
    for said in ("<b>Asked", "</td>Ana", "<script>", "cannot tell the model from one that never saw", "Other words"):
        assert said in page.text
    assert "http" not in render(_audit()).replace("http://www.w3.org", "")
    assert render(_audit()) == render(_audit())
    assert "Nothing could be tested." in render(_audit(findings=()))


def test_what_went_in_is_named_by_its_digest(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert source_of("to forget", file).sha256 == digest
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    assert source_of("model", tmp_path).sha256 == digest
    assert source_of("model", "meta-llama/Llama").sha256 is None


def test_two_saved_models_are_audited_from_the_command_line(
    unlearn: Run, own: FilesTask, tmp_path: Path, saved_tiny: Path
) -> None:
    data = ["--forget", tmp_path / "forget", "--retain", tmp_path / "retain", "--holdout", tmp_path / "holdout"]
    report = tmp_path / "audit.html"
    ran = unlearn("audit", saved_tiny, "--before", saved_tiny, *data, "--out", report, "--json")
    assert ran.status == 0, ran.err
    found = Audit.model_validate_json(ran.out)
    assert json.loads(ran.out)["limits"]
    assert found.command.startswith("unlearn audit ")
    assert {one.role for one in found.sources} == {"model", "model before", "to forget", "to keep", "held out"}
    assert all(one.sha256 for one in found.sources)
    assert report.read_text(encoding="utf-8") == render(found)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["m", "--forget", "x.jsonl"], "x.jsonl: No such file"),
        (["m", "--out", "/no/such/folder/a.html"], "name a file in a folder that exists"),
        (["/no/such/model"], "could not be loaded"),
    ],
)
def test_what_cannot_be_audited_is_one_message(unlearn: Run, words: list[str], says: str) -> None:
    ran = unlearn("audit", *words)
    assert ran.status == 2
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_the_two_models_must_be_named(unlearn: Run, own: FilesTask, tmp_path: Path) -> None:
    ran = unlearn("audit", "m", "--forget", tmp_path / "forget")
    assert "--before DIR_OR_NAME" in ran.err


def test_a_finding_of_the_whole_set_has_no_interval() -> None:
    whole = replace_finding(at(0.9, 0.0))
    assert "0.900 (" not in render(_audit(findings=(whole,)))


def replace_finding(before: Estimate) -> Finding:
    return _audit().findings[0].model_copy(update={"before": before})
