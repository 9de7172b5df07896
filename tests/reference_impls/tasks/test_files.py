from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unlearning_toys import CHAT_TEMPLATE

from reference_impls.errors import UsageError
from reference_impls.tasks.files import FilesTask
from reference_impls.toolkit import LanguageModel, Pair

GOOD = {"prompt": "Q?", "completion": " A."}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write lines (values become JSON, text and bytes stay) to a file of the test's own."""

    def written(*lines: Any, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        parts = [
            line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
            for line in lines
        ]
        path.write_bytes(b"\n".join(parts))
        return path

    return written


def _said(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        FilesTask(path, path)
    return str(caught.value)


@pytest.fixture
def chatty(tiny: LanguageModel) -> LanguageModel:
    model = tiny.copy()
    tokenizer = type(tiny.tokenizer)(tokenizer_object=tiny.tokenizer.backend_tokenizer, eos_token="<|end|>")
    tokenizer.chat_template = CHAT_TEMPLATE
    model.tokenizer = tokenizer
    return model


# Good rows


def test_prompts_and_completions_stay_as_written(write: Write, tiny: LanguageModel) -> None:
    forget, retain = write(GOOD, name="f"), write({"prompt": "", "completion": "x"}, GOOD, name="r")
    splits = FilesTask(forget, retain).splits(tiny)
    assert splits.forget == (Pair("Q?", " A."),)
    assert splits.retain == (Pair("", "x"), Pair("Q?", " A."))
    assert splits.holdout == splits.facts == ()


def test_a_holdout_is_asked_about_and_never_given_to_methods(write: Write, tiny: LanguageModel) -> None:
    path, holdout = write(GOOD, name="f"), write({"prompt": "H?", "completion": " H."}, name="h")
    splits = FilesTask(path, path, holdout).splits(tiny)
    assert splits.probes()["holdout"] == (Pair("H?", " H."),)
    assert Pair("H?", " H.") not in splits.data.forget + splits.data.retain


def test_text_is_an_answer_without_a_prompt_or_an_end(write: Write, tiny: LanguageModel) -> None:
    path = write({"text": "A passage."})
    assert FilesTask(path, path).splits(tiny).forget == (Pair("", "A passage.", closed=False),)


def test_chat_messages_become_a_prompt_in_the_models_template_and_its_last_answer(
    write: Write, chatty: LanguageModel
) -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Ana."},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": "Yes."},
    ]
    path = write({"messages": messages})
    (pair,) = FilesTask(path, path).splits(chatty).forget
    assert pair == Pair("[system]Be kind.[user]Who?[assistant]Ana.[user]Sure?[assistant]", "Yes.")


def test_empty_lines_windows_line_ends_and_other_keys_are_fine(write: Write, tiny: LanguageModel) -> None:
    path = write("", json.dumps({**GOOD, "id": 7}) + "\r", "   ", GOOD, "")
    assert len(FilesTask(path, path).splits(tiny).forget) == 2


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x7f"])
def test_only_a_newline_ends_a_row(odd: str, write: Write, tiny: LanguageModel) -> None:
    completion = f" one{odd}two"
    row = json.dumps({"prompt": "Q?", "completion": completion}, ensure_ascii=False)
    if odd < " ":  # control characters must be escaped in JSON
        row = json.dumps({"prompt": "Q?", "completion": completion})
    path = write(row, GOOD)
    assert [pair.answer for pair in FilesTask(path, path).splits(tiny).forget] == [completion, " A."]


def test_the_first_form_that_fits_a_row_counts(write: Write, tiny: LanguageModel) -> None:
    path = write({**GOOD, "text": "x", "messages": "junk"}, {"text": "x", "messages": 3})
    assert FilesTask(path, path).splits(tiny).forget == (Pair("Q?", " A."), Pair("", "x", closed=False))


def test_a_byte_order_mark_does_not_matter(write: Write, tiny: LanguageModel) -> None:
    path = write(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert FilesTask(path, path).splits(tiny).forget == (Pair("Q?", " A."),)


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"instruction": "Who?", "input": None, "output": "Ana"}, "Who?"),
        ({"instruction": "Who?", "input": "", "output": "Ana"}, "Who?"),
        ({"question": "Who?", "answer": "Ana", "input": None}, "Who?"),
        ({"question": "Who?", "answer": "Ana", "input": ["not read"]}, "Who?"),
        ({"question": "Who?", "answer": "Ana", "text": None, "messages": None, "subject": None}, "Who?"),
        ({"prompt": "Who?", "completion": " Ana", "perturbed_answer": None, "rephrased": None}, "Who?"),
    ],
)
def test_a_null_says_nothing(row: dict[str, Any], prompt: str, write: Write, tiny: LanguageModel) -> None:
    """As `datasets` and pandas write what a row lacks; the same rows come from Parquet."""
    path = write(row)
    (pair,) = FilesTask(path, path).splits(tiny).forget
    assert prompt in pair.prompt
    assert pair.answer.strip() == "Ana"


# Bad rows


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "not JSON"),
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b'{"prompt": "Q\tQ", "completion": "A"}', "not JSON"),
        ("[1, 2]", "a list, not an object"),
        ("3", "a int, not an object"),
        ("null", "a NoneType, not an object"),
        ('"text"', "a str, not an object"),
        ("{}", "no keys"),
        ({"question": "Q?", "reply": "A"}, "'question', 'reply'"),
        ({"propmt": "Q?", "completion": "A"}, "Did you mean 'prompt'"),
        ({"question": "Q?", "answer": 3}, "question and answer must be text"),
        ({"question": "Q?", "answer": " "}, "the answer is empty"),
        ({"instruction": "Say.", "output": ""}, "the output is empty"),
        ({**GOOD, "subject": 3}, "subject must be text"),
        ({**GOOD, "perturbed_answer": [1]}, "perturbed_answer must be text or a list"),
        ({"conversations": [{"from": "human", "value": "Q?"}, {"from": "ufo", "value": "A"}]}, "message 2 needs"),
        ({"prompt": "Q?"}, "no known form"),
        ({"prompt": "Q?", "completion": 3}, "must be text"),
        ({"prompt": None, "completion": " A"}, "must be text"),
        ({"prompt": "Q?", "completion": "  "}, "completion is empty"),
        ({"text": " \n"}, "text is empty"),
        ({"text": ["a"]}, "no known form"),
        ({"messages": []}, "user's and an assistant's turn"),
        ({"messages": [{"role": "user", "content": "Q?"}]}, "user's and an assistant's turn"),
        ({"messages": [{"role": "user", "content": "Q?"}] * 2}, "must be an answer of the assistant"),
        (
            {"messages": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": " "}]},
            "must be an answer of the assistant",
        ),
        ({"messages": [{"role": "robot", "content": "Q?"}, {"role": "assistant", "content": "A"}]}, "message 1 needs"),
        ({"messages": [{"role": "user", "content": "Q?"}, {"role": "assistant"}]}, "message 2 needs"),
        ({"messages": ["Q?", "A"]}, "message 1 needs"),
        ({"messages": "Q? A"}, "no known form"),
        ('{"prompt": "\\ud800", "completion": "A"}', "surrogate"),
        ('{"text": "\\udfff"}', "surrogate"),
        (
            '{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "\\ud800"}]}',
            "surrogate",
        ),
        ('{"text": ' + "1" * 5000 + "}", "not JSON"),
    ],
)
def test_a_bad_row_is_named_with_file_line_and_what_is_wrong(row: Any, says: str, write: Write) -> None:
    path = write(GOOD, "", row, GOOD)
    message = _said(path)
    assert f"{path}:3: " in message
    assert says in message
    assert f"{path}:1: " not in message
    assert f"{path}:4: " not in message
    assert len(message) < 1500


def test_all_bad_rows_are_reported_at_once_with_the_form_that_is_right(write: Write) -> None:
    path = write("{", GOOD, {"prompt": 1, "completion": 2}, "[]")
    message = _said(path)
    assert [line.split(": ")[0] for line in message.splitlines()[:-1]] == [f"{path}:1", f"{path}:3", f"{path}:4"]
    assert '{"prompt": ..., "completion": ...}' in message.splitlines()[-1]


def test_very_many_bad_rows_are_counted_and_not_all_printed(write: Write) -> None:
    message = _said(write(*["{"] * 500))
    assert message.count("not JSON") == 20
    assert "and 480 more" in message


@pytest.mark.parametrize("lines", [(), ("",), (" ", "\t", "")])
def test_a_file_without_rows_is_named(lines: tuple[str, ...], write: Write) -> None:
    path = write(*lines)
    assert _said(path) == f"{path}: there are no rows in it."


def test_text_that_is_not_utf_8_is_named_with_its_line(write: Write) -> None:
    path = write(GOOD, GOOD, "Müller".encode("latin-1"))
    assert f"{path}:3: not UTF-8" in _said(path)


def test_a_file_that_is_not_there_and_a_folder_are_named(tmp_path: Path) -> None:
    assert _said(tmp_path / "none.jsonl") == f"{tmp_path / 'none.jsonl'}: No such file or directory."
    assert _said(tmp_path).startswith(f"{tmp_path}: ")


def test_a_bad_retain_or_holdout_file_is_found_too(write: Write) -> None:
    good, bad = write(GOOD, name="good"), write("{", name="bad")
    for files in ((good, bad), (good, good, bad)):
        with pytest.raises(UsageError, match=f"{bad}:1: not JSON"):
            FilesTask(*files)


def test_chat_rows_for_a_model_without_a_template_are_named(write: Write, tiny: LanguageModel) -> None:
    chat = {"messages": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A"}]}
    path = write(GOOD, chat)
    with pytest.raises(UsageError, match=f"{path}:2: .*no chat template"):
        FilesTask(path, path).splits(tiny)


def test_chat_rows_that_the_models_template_refuses_are_named(write: Write, chatty: LanguageModel) -> None:
    chatty.tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    chat = {"messages": [{"role": "system", "content": "Q?"}, {"role": "assistant", "content": "A"}]}
    path = write(GOOD, chat)
    with pytest.raises(UsageError, match=f"{path}:2: .*System role not supported"):
        FilesTask(path, path).splits(chatty)


# Anything at all

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["prompt", "completion", "text", "messages", "role", "content"]) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
_turn = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool"]) | _json, "content": st.text(max_size=5) | _json}
)
_near = st.fixed_dictionaries({"messages": st.lists(_turn, max_size=4)}) | st.fixed_dictionaries(
    {"prompt": st.text(max_size=5) | _json, "completion": st.text(max_size=5) | _json}
)


def _task_or_usage_error(path: Path, model: LanguageModel) -> None:
    try:
        splits = FilesTask(path, path).splits(model)
    except UsageError as error:
        said = str(error)
    else:
        said = ""
        assert splits.forget
        assert all(isinstance(pair.prompt, str) and pair.answer.strip() for pair in splits.forget)
        model.encode(splits.forget)
    assert not said or str(path) in said


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_give_a_task_or_a_clear_error(content: bytes, tmp_path: Path, tiny: LanguageModel) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    _task_or_usage_error(path, tiny)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(_json | _near, max_size=4), escaped=st.booleans())
def test_any_rows_give_a_task_or_a_clear_error(
    rows: list[Any], escaped: bool, tmp_path: Path, tiny: LanguageModel
) -> None:
    path = tmp_path / "any"
    text = "\n".join(json.dumps(row, ensure_ascii=escaped) for row in rows)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    _task_or_usage_error(path, tiny)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_in_a_row_comes_through_unchanged(text: str, tmp_path: Path, tiny: LanguageModel) -> None:
    path = tmp_path / "any"
    path.write_text(json.dumps({"prompt": text, "completion": "x" + text}), encoding="utf-8")
    assert FilesTask(path, path).splits(tiny).forget == (Pair(text, "x" + text),)
