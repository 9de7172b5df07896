"""The forms of benchmarks' and other people's data, and the files that they come in."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chat_templates import chat_model
from unlearning_toys import CHAT_TEMPLATE

from reference_impls.errors import UsageError
from reference_impls.methods.model_editing.rome import ROME
from reference_impls.tasks import rows
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

ASKED = "Question: Who?\nAnswer:"
TURN = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ana."}]

FORMS: list[tuple[dict[str, Any], Pair]] = [
    ({"prompt": "Who?", "completion": " Ana."}, Pair("Who?", " Ana.")),
    ({"prompt": "Who?", "response": "Ana."}, Pair("Who?", " Ana.")),
    ({"prompt": "Who? ", "response": "Ana."}, Pair("Who? ", "Ana.")),
    ({"prompt": "He went", "gt": "home."}, Pair("He went", " home.")),
    ({"question": "Who?", "answer": "Ana."}, Pair(ASKED, " Ana.")),
    ({"query": "Who?", "answer": "Ana.", "subject": "Ana Lund"}, Pair(ASKED, " Ana.", subject="Ana Lund")),
    ({"instruction": "Who?", "output": "Ana."}, Pair(ASKED, " Ana.")),
    ({"instruction": "Who?", "input": "", "output": "Ana."}, Pair(ASKED, " Ana.")),
    ({"instruction": "Who?", "input": None, "output": "Ana."}, Pair(ASKED, " Ana.")),
    ({"question": "Who?", "answer": "Ana.", "input": None}, Pair(ASKED, " Ana.")),
    ({"question": "Who?", "answer": "Ana.", "subject": None, "paraphrased_answer": None}, Pair(ASKED, " Ana.")),
    ({"prompt": None, "text": None, "messages": None, "question": "Who?", "answer": "Ana."}, Pair(ASKED, " Ana.")),
    ({"instruction": "Say", "input": "Who?", "output": "Ana."}, Pair("Question: Say\n\nWho?\nAnswer:", " Ana.")),
    ({"text": "A passage."}, Pair("", "A passage.", closed=False)),
    (
        {
            "question": "Who?",
            "answer": "Ana.",
            "paraphrased_answer": "It is Ana.",
            "perturbed_answer": ["Bo.", "Cy."],
            "paraphrased_question": "Who is it?",
        },
        Pair(ASKED, " Ana.", " It is Ana.", (" Bo.", " Cy."), "Question: Who is it?\nAnswer:"),
    ),
]


def _task(path: Path, text: str | bytes) -> FilesTask:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return FilesTask(path, path)


@pytest.mark.parametrize(("row", "pair"), FORMS)
def test_a_form_of_a_benchmark_is_read(row: dict[str, Any], pair: Pair, tmp_path: Path, tiny: LanguageModel) -> None:
    task = _task(tmp_path / "rows.jsonl", json.dumps(row))
    assert task.splits(tiny).forget == (pair,)
    assert not [note for note in task.notes if "nothing reads" in note]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": TURN},
        {"prompt": TURN[:1], "completion": TURN[1:]},
        {"conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "Ana."}]},
        {"question": "Who?", "answer": "Ana."},
        {"instruction": "Who?", "output": "Ana."},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Wh"}, {"type": "text", "text": "o?"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "Ana."}]},
            ]
        },
    ],
)
def test_chats_and_questions_are_turns_of_a_chat_model(
    row: dict[str, Any], tmp_path: Path, tiny: LanguageModel
) -> None:
    task = _task(tmp_path / "rows.jsonl", json.dumps(row))
    assert task.splits(chat_model("names no end", tiny)).forget == (Pair("[user]Who?[assistant]", "Ana."),)


Written = Callable[[list[dict[str, Any]]], str]


def test_what_is_open_is_not_told_as_unread(tmp_path: Path, tiny: LanguageModel) -> None:
    row = {"question": "Who?", "answer": "Ana.", "source": None, "perturbed_answer": None}
    path = tmp_path / "forget.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    task = FilesTask(path)
    task.splits(tiny)
    assert not any("nothing reads" in note for note in task.notes)


def _csv(found: list[dict[str, Any]], delimiter: str = ",") -> str:
    out = io.StringIO()
    table = csv.DictWriter(out, list(found[0]), delimiter=delimiter)
    table.writeheader()
    table.writerows(found)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("rows.jsonl", lambda found: "\n".join(map(json.dumps, found))),
        ("rows.json", lambda found: "\n".join(map(json.dumps, found))),
        ("rows.json", json.dumps),
        ("rows.json", lambda found: "\ufeff" + json.dumps(found, indent=2)),
        ("rows.json", lambda found: "\n".join(json.dumps(row, indent=2) for row in found)),
        ("rows.json", lambda found: json.dumps({"version": "1", "data": found, "empty": []})),
        ("rows.json", lambda found: json.dumps({"train": found, "labels": ["a"]}, indent=2)),
        ("rows.csv", _csv),
        ("rows.csv", lambda found: _csv(found, ";")),
        ("rows.csv", lambda found: _csv(found, "\t")),
        ("rows.tsv", lambda found: _csv(found, "\t")),
    ],
)
def test_a_file_is_read_whatever_holds_the_rows(
    name: str, written: Written, tmp_path: Path, tiny: LanguageModel
) -> None:
    found = [{"question": "Who?", "answer": 'Ana, of "here".'}, {"question": "Two\nlines?", "answer": "Bo\tand Cy."}]
    pairs = _task(tmp_path / name, written(found)).splits(tiny).forget
    assert [pair.answer for pair in pairs] == [f" {row['answer']}" for row in found]
    assert pairs[1].prompt == tiny.question("Two\nlines?")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", '[\n  {"text": "x"},\n  {"text": \n]', "a.json:4: not JSON"),
        (
            "a.json",
            '[{"text": "x"}, {"txet": "y"}]',
            "a.json: row 2: has 'txet', but no known form. Did you mean 'text'",
        ),
        ("a.csv", "question,answer\nWho?,Ana\nWhen?,In spring,of a year\n", "a.csv:3: has more cells"),
        ("a.csv", "question,answer\nWho?,\n", "a.csv:2: has 'question', but no known form"),
        ("a.csv", "question,answer\n", "no rows"),
        ("a.parquet", b"PAR1....PAR1", r"is Parquet, .*pip install 'llm-unlearning\[data\]'"),
        ("a.jsonl", b"PAR1....PAR1", "is Parquet"),
        ("a.arrow", b"ARROW1..", "is Arrow"),
        ("a.jsonl", '{"text": "x", "text": "y"}', "a.jsonl:1: 'text' stands in it twice"),
        ("a.json", '[{"text": "x",\n "text": "y"}]', "a.json: 'text' stands in it twice"),
        ("a.json", '{\n "text": "x"\n}\n\n{\n "text": "x",\n "text": "y"\n}', "a.json:5: 'text' stands in it twice"),
        ("a.csv", "question,answer,answer\nWho?,Ana,Bo\n", "a.csv:1: has the name 'answer' twice"),
        ("a.json", '{"train": [{"text": "x"}], "test": [{"text": "y"}]}', "holds several lists, train, test"),
        ("a.json", '{"data": [{"paragraphs": []}]}', "a.json:1: has 'data', but no known form"),
        ("a.jsonl", '{"messages": [{"role": "tool", "content": "x"}, {"role": "user"}]}', "message 1 needs a role"),
        ("a.xlsx", b"PK\x03\x04..", "is a workbook. Save its sheet as CSV"),
        ("a.jsonl.gz", b"\x1f\x8b..", "is compressed. Unpack it"),
        ("a.jsonl", '{"text": "x"}'.encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(
    name: str, content: str | bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)  # as where it is not installed
    with pytest.raises(UsageError, match=says) as caught:
        _task(tmp_path / name, content)
    assert "Extra data" not in str(caught.value)


def test_a_developers_message_is_the_systems(tmp_path: Path, tiny: LanguageModel) -> None:
    said = [{"role": role, "content": "Be brief."} for role in ("system", "developer")]
    written = [json.dumps({"messages": [first, *TURN]}) for first in said]
    one, other = _task(tmp_path / "rows.jsonl", "\n".join(written)).splits(chat_model("names no end", tiny)).forget
    assert one == other


def test_parquet_and_arrow_are_read_through_datasets(
    tmp_path: Path, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    found = [{"question": "Who?", "answer": "Ana.", "subject": None}]

    def load(*words: Any, **more: Any) -> list[dict[str, Any]]:
        asked.append((*words, *more.values()))
        return found

    class FailedError(Exception):
        pass

    fake = SimpleNamespace(
        load_dataset=load,
        load_from_disk=load,
        Dataset=SimpleNamespace(from_file=load),
        exceptions=SimpleNamespace(DatasetsError=FailedError),
    )
    monkeypatch.setitem(sys.modules, "datasets", fake)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "data.arrow").write_bytes(b"")
    for path in (tmp_path / "a.parquet", tmp_path / "a.arrow"):
        path.write_bytes(b"PAR1" if path.suffix == ".parquet" else b"ARROW1")
    for path in (tmp_path / "a.parquet", tmp_path / "a.arrow", tmp_path / "saved"):
        assert FilesTask(path, path).splits(tiny).forget == (Pair(ASKED, " Ana."),)
    assert asked[0] == ("parquet", str(tmp_path / "a.parquet"), "train")
    found[0] = {"answer": "Ana."}
    with pytest.raises(UsageError, match="row 1: has 'answer', but no known form"):
        FilesTask(path, path)


# What is said of good rows


def test_keys_that_nothing_reads_are_named(tmp_path: Path, tiny: LanguageModel) -> None:
    found = [{"prompt": "Q?", "completion": " A.", "id": 1, "subjct": "A"}, {"text": "x", "id": 2}]
    task = _task(tmp_path / "a", "\n".join(map(json.dumps, found)))
    task.splits(tiny)
    (note,) = [one for one in task.notes if "nothing reads" in one]
    assert "'id' (in 2 rows)" in note
    assert "'subjct' (in 1 row; is 'subject' meant?)" in note


def test_rows_to_forget_and_to_keep_are_told_apart(tmp_path: Path, tiny: LanguageModel) -> None:
    for name, texts in (("forget", "abc"), ("retain", "cd")):
        lines = (json.dumps({"text": text}) for text in texts)
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    task = FilesTask(tmp_path / "forget", tmp_path / "retain")
    task.splits(tiny)
    assert task.notes == ("1 of 3 rows to forget are to be kept as well, so that the two work against each other.",)


def test_marks_in_a_text_and_prompts_without_a_template_are_said(tmp_path: Path, tiny: LanguageModel) -> None:
    model = chat_model("gemma", tiny)
    forget, retain = tmp_path / "forget", tmp_path / "retain"
    forget.write_text('{"question": "Who?", "answer": "Ana.</s> Bo."}', encoding="utf-8")
    retain.write_text('{"prompt": "Who?", "completion": " Ana."}', encoding="utf-8")
    task = FilesTask(forget, retain)
    task.splits(model)
    assert [note for note in task.notes if note.startswith(f"{forget}: '</s>' in a text")]
    assert [note for note in task.notes if note.startswith(f"{retain}: prompt and completion are taken as they are")]


@pytest.mark.parametrize("template", ["{{ 1 + 'a' }}", "{{ messages[9].role }}", "{{ raise_exception('no users') }}"])
def test_a_template_that_fails_is_one_message_with_file_and_line(
    template: str, tmp_path: Path, tiny: LanguageModel
) -> None:
    model = chat_model("gemma", tiny)
    model.tokenizer.chat_template = template + CHAT_TEMPLATE
    task = _task(tmp_path / "a", json.dumps({"messages": TURN}))
    with pytest.raises(UsageError, match=rf"{tmp_path / 'a'}:1: the model's chat template does not take") as caught:
        task.splits(model)
    assert "\n" not in str(caught.value)


def test_a_subject_decides_where_an_edit_is_made(tiny: LanguageModel) -> None:
    row = {"prompt": "When was Ana Lund born in Szeged?", "completion": " In spring."}
    edits = []
    for more in ({}, {"subject": "Ana Lund"}):
        (pair,) = rows.pairs(row | more, "a:1", tiny)
        model = tiny.copy()
        data = UnlearningData((pair,), (Pair("When was Bo Reyes born?", " In winter."),))
        ROME(contexts=0).unlearn(model, data, Run(Recipe(learning_rate=0.1, steps=2)))
        edits.append([weight.detach().clone() for weight in model.model.parameters()])
    assert any(not (one == other).all() for one, other in zip(*edits, strict=True))


def test_a_long_passage_is_as_many_rows_as_windows(tmp_path: Path, tiny: LanguageModel) -> None:
    text = "Ana Lund was born in spring. " * 60
    task = _task(tmp_path / "a", json.dumps({"text": text, "subject": "Ana Lund"}))
    pairs = task.splits(LanguageModel(tiny.model, tiny.tokenizer, 64)).forget
    assert "".join(pair.answer for pair in pairs) == text
    assert len(pairs) > 3
    assert {pair.subject for pair in pairs} == {"Ana Lund"}
    assert not any(pair.closed for pair in pairs)
