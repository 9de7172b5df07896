"""Data files beside the records: what is wrong in them is a problem with a place, and never a traceback."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
from pathlib import Path

import pytest
from command_runs import Run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invented_results import invented_result
from small_checkout import REPOSITORY, Checkout

from catalog.base.project import Project
from catalog.insight.leaderboard import boards
from catalog.outputs.database import serialize
from catalog.parsing.tree import NotText, parse_tree
from catalog.reading.load import load_catalog

METRICS = """\
- id: forget_probability
  label: Forget probability
  definition: How likely the right answers are.
  range: [0, 1]
  better: retrained
  source: TOFU
- id: model_utility
  label: Model utility
  range: [0, null]
  better: higher
"""
SEARCH = {"fade": [{"settings": {"learning_rate": 0.1}, "score": 0.5, "metrics": {"model_utility": 0.4}}]}
CLAIMS = """\
- method: fade
  paper: lindqvist2031fading
  claim: It fades gently.
  evidence:
    - {task: gardens, measure: model_utility, is: above, of: target, times: 0.5}
"""
FILES = {
    "reference_impls/metrics/metrics.yaml": METRICS,
    "reference_impls/tasks/gardens/search.json": json.dumps(SEARCH, indent=1),
    "reference_impls/claims.yaml": CLAIMS,
    "site/glossary.yaml": "- id: a\n  term: Fade\n  definition: To go.\n  paper: lindqvist2031fading\n",
    "catalog/redirects.yaml": "moved:\n  lindqvist2030old: lindqvist2031fading\n",
}


@pytest.fixture
def full(checkout: Checkout) -> Checkout:
    """The small checkout with one of each data file."""
    for file, text in FILES.items():
        checkout.add(file, text)
    result = invented_result(method="fade", task="gardens", metrics={"model_utility": 0.5})
    target = invented_result(method="target", task="gardens", metrics={"model_utility": 0.6})
    for one in (result, target):
        checkout.add(f"reference_impls/results/{one.file}", one.to_json())
    assert [problem for problem in checkout.problems() if problem.severity == "error"] == []
    return checkout


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "said"),
    [
        ("metrics/metrics.yaml", "better: retrained", "better: nearest", 5, "'nearest', which it cannot be"),
        ("metrics/metrics.yaml", "range: [0, 1]", "range: [0, one]", 4, "range"),
        ("metrics/metrics.yaml", "id: model_utility", "id: forget_probability", 7, "defined twice"),
        ("metrics/metrics.yaml", "  source: TOFU", "  sauce: TOFU", 6, "unknown key 'sauce'"),
        ("claims.yaml", "paper: lindqvist2031fading", "paper: lindqvist2031faded", 2, "names the paper"),
        ("claims.yaml", "measure: model_utility", "measure: model_utilty", 5, "names the measure"),
        ("claims.yaml", "is: above", "is: over", 5, "'over', which it cannot be"),
        ("tasks/gardens/search.json", '"score": 0.5', '"score": "x"', 1, "fade.0.score"),
        ("tasks/gardens/search.json", '"metrics": {', '"metrics": ', 9, "column"),
    ],
)
def test_a_wrong_value_is_found_at_its_place(
    full: Checkout, run: Run, file: str, old: str, new: str, line: int, said: str
) -> None:
    full.change(full.root / "reference_impls" / file, old, new)
    problems = [problem for problem in full.problems() if problem.severity == "error"]
    assert {(problem.file, problem.line) for problem in problems} == {(f"reference_impls/{file}", line)}
    assert any(said in problem.message for problem in problems), problems
    for command in ("validate", "build", "stats"):
        ran = run(command)
        assert ran.status == 1, command


NO_NUMBERS = ["0x_", "0x1F", "0b_", "0b11", "010", "1_0", "1:30:00", ".inf", "-.Inf", ".nan", "1.0e+999", "9" * 30]
NUMBERS = {
    "reference_impls/metrics/metrics.yaml": ("range: [0, 1]", "range: [0, {}]"),
    "reference_impls/claims.yaml": ("times: 0.5", "times: {}"),
    "catalog/discovery.yaml": ("least: 8", "least: {}"),
    "catalog/vocabularies/metric.yaml": ("  low: 0\n", "  low: {}\n"),
    "papers/2031/lindqvist2031fading.yaml": ("value: 0.5", "value: {}"),
}


@pytest.fixture
def whole(full: Checkout) -> Checkout:
    """The same with the repository's rules and vocabularies, and a number that a paper reports."""
    shutil.copytree(REPOSITORY / "catalog/vocabularies", full.root / "catalog/vocabularies")
    full.add("catalog/discovery.yaml", (REPOSITORY / "catalog/discovery.yaml").read_bytes())
    number = "{benchmark: tofu-forget10, metric: forget-quality, model: Llama, value: 0.5, source: Table 2}"
    full.change(full.fading, "implementations:", f"reported:\n  - {number}\nimplementations:")
    return full


@pytest.mark.parametrize("file", NUMBERS)
def test_a_number_is_written_in_digits(file: str, whole: Checkout) -> None:
    path, (old, new) = whole.root / file, NUMBERS[file]
    text = path.read_text(encoding="utf-8")
    at = text.index(old)
    line = text[:at].count("\n") + 1
    assert not [problem for problem in whole.problems() if problem.severity == "error" and problem.file == file]
    for number in [*NO_NUMBERS, "0x" + "F" * 5000, "9" * 5000]:
        path.write_text(f"{text[:at]}{new.format(number)}{text[at + len(old) :]}", encoding="utf-8")
        found = [problem for problem in whole.problems() if problem.file == file and problem.severity == "error"]
        assert [(problem.line, problem.code) for problem in found] == [(line, "bad-number")], number


@given(st.text("0123456789_xXbBoOeE+-.:infaINFNA", max_size=12))
def test_a_number_that_is_read_is_what_people_read(text: str) -> None:
    tree, _ = parse_tree(f"a: {text}".encode(), "f")
    value = tree.value.get("a") if tree and isinstance(tree.value, dict) else None
    if tree and isinstance(value, NotText) and value.kind == "a number":
        read = tree.with_numbers()
        assert (read.value["a"] is None) == (("a",) in read.faults)
        if read.value["a"] is not None:
            assert read.value["a"] == float(text)
            assert math.isfinite(read.value["a"])


WRONG_VALUES = [
    *(("claims.yaml", "times: 0.5", f"times: {value}") for value in ("true", "'0.2'", "null", "[1]", "word", "{a: 1}")),
    *(("claims.yaml", "times: 0.5", f"within: {value}") for value in ("-0.1", "true", "'1'")),
    *(("claims.yaml", "times: 0.5", f"at: {{beta: {value}}}") for value in (".nan", "null", "[1]", "{a: 1}", ".inf")),
    *(("metrics/metrics.yaml", "[0, 1]", value) for value in ("[1, 0]", "[1, 1]", "['0', 1]", "[true, 2]", "[0]", "x")),
    *(("metrics/metrics.yaml", "label: Forget probability", f"label: {value}") for value in ('""', "5", "[a]")),
    ("metrics/metrics.yaml", "label: Forget probability", 'label: "a\\n\\n# X"'),
    ("metrics/metrics.yaml", "label: Forget probability", 'label: "a\\x1b[31m"'),
    ("metrics/metrics.yaml", "label: Forget probability", 'label: "a\\u3164"'),
    ("metrics/metrics.yaml", "label: Forget probability", "label: <b>a</b>"),
    ("metrics/metrics.yaml", "source: TOFU", 'source: "a\\n| b"'),
    ("metrics/metrics.yaml", "source: TOFU", "passed: '0.05'"),
    ("metrics/metrics.yaml", "source: TOFU", "detail: 1"),
    ("claims.yaml", "claim: It fades gently.", 'claim: "It \\u202e fades."'),
    ("claims.yaml", "claim: It fades gently.", 'claim: "It \\0 fades."'),
]


@pytest.mark.parametrize(("file", "old", "new"), WRONG_VALUES)
def test_a_value_is_one_that_can_be_shown_and_computed_with(file: str, old: str, new: str, full: Checkout) -> None:
    path = full.root / "reference_impls" / file
    line = path.read_text(encoding="utf-8").split(old)[0].count("\n") + 1
    full.change(path, old, new)
    (problem,) = (problem for problem in full.problems() if problem.severity == "error")
    assert (problem.file, problem.line) == (f"reference_impls/{file}", line)
    assert problem.message
    assert problem.hint


def test_a_scale_goes_up(whole: Checkout) -> None:
    path = whole.root / "catalog/vocabularies/metric.yaml"
    text = path.read_text(encoding="utf-8")
    at = text.index("  low: 0\n  high: 1\n")
    path.write_text(f"{text[:at]}  low: 1\n  high: 0\n{text[at + len('  low: 0  high: 1  ') :]}", encoding="utf-8")
    (problem,) = (problem for problem in whole.problems() if problem.file == "catalog/vocabularies/metric.yaml")
    assert (problem.code, "not above low" in problem.message) == ("bad-number", True)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_damage_is_a_problem_or_none_and_never_a_traceback(full: Checkout, data: st.DataObject) -> None:
    paths = sorted(path for path in (full.root / "reference_impls/results").rglob("*.json"))
    file = data.draw(st.sampled_from([*FILES, *(path.relative_to(full.root).as_posix() for path in paths)]))
    path = full.root / file
    before = path.read_bytes()
    lines = before.decode().split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    damage = data.draw(st.sampled_from(["cut", "drop", "value", "bytes", "list"]))
    match damage:
        case "cut":
            path.write_bytes(before[: data.draw(st.integers(0, len(before)))])
        case "drop":
            path.write_text("\n".join(lines[:at] + lines[at + 1 :]))
        case "value":
            value = data.draw(
                st.sampled_from(["[]", "{}", "null", "7", "true", '"x"', "- a", "&a", "\t", "0x_", ".nan"])
            )
            head, sign, _ = lines[at].partition(":")
            path.write_text("\n".join([*lines[:at], f"{head}{sign} {value}", *lines[at + 1 :]]))
        case "bytes":
            path.write_bytes(before[:at] + data.draw(st.binary(max_size=4)) + before[at:])
        case "list":
            path.write_text("[1, {a: b}]\n")
    try:
        catalog, problems = load_catalog(full.project)
        assert catalog is not None or any(problem.severity == "error" for problem in problems)
    finally:
        path.write_bytes(before)


def test_runs_of_a_part_of_the_forget_set_can_be_told_apart_in_the_database() -> None:
    catalog, _ = load_catalog(Project(REPOSITORY))
    assert catalog
    database = sqlite3.connect(":memory:")
    database.deserialize(serialize(catalog))
    query = """SELECT avg(value) FROM result JOIN measurement ON measurement.result = result.id
        WHERE method = 'npo' AND task = 'authors' AND model = 'tiny'
        AND name = 'forget_probability' AND kind = 'metric' AND {}"""
    (board,) = (board for board in boards(catalog) if board.task == "authors" and board.embedded)
    (row,) = (row for row in board.rows if row.method == "npo")
    cell = row.cells["forget_probability"]
    assert cell
    assert database.execute(query.format("plain")).fetchone()[0] == pytest.approx(cell.mean)
    assert database.execute(query.format("forget_share = 1 AND requests = 1")).fetchone()[0] == pytest.approx(cell.mean)
    assert database.execute(query.format("1")).fetchone()[0] != pytest.approx(cell.mean, abs=0.05)


def test_after_a_move_the_old_id_is_nowhere_but_in_the_redirects(full: Checkout, run: Run) -> None:
    full.change(full.gardens, "provenance:", "state: {kind: superseded, by: lindqvist2031fading}\nprovenance:")
    steps = "- id: a\n  title: One\n  audience: All.\n  steps:\n    - {paper: lindqvist2031fading, why: Begin.}\n"
    full.add("site/reading-paths.yaml", steps)
    for old in ("lindqvist2031fading", "okonkwo2032gardens"):
        new = f"{old}two"
        assert run("move", old, new).status == 0
        assert run("validate").status == 0
        mentions = [
            path.relative_to(full.root).as_posix()
            for path in sorted(full.root.rglob("*"))
            if path.is_file() and "build" not in path.parts and f"{old}\n" in _words(path)
        ]
        assert mentions == ["catalog/redirects.yaml"]


def _words(path: Path) -> str:
    """The words of a file, one to a line."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return "\n".join("".join(sign if sign.isalnum() else " " for sign in text).split()) + "\n"
