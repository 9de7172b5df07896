"""The YAML reader: values, positions, and no surprises for any bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from catalog.parsing import tree as module
from catalog.parsing.tree import Mark, NotText, parse_tree, read_tree

plain = st.text(
    st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029", exclude_categories=["Cc", "Cs", "Cn"])
)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3), max_leaves=6
)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_tree_or_problems(data: bytes) -> None:
    tree, problems = parse_tree(data, "f.yaml")
    assert tree is not None or problems
    assert all(problem.line >= 1 and problem.column >= 1 and problem.hint for problem in problems)


@given(st.text("ab:-?[]{}#&*!|>'\"%@`, \n\t", max_size=60))
def test_any_punctuation_gives_a_tree_or_problems(text: str) -> None:
    tree, problems = parse_tree(text.encode(), "f.yaml")
    assert tree is not None or problems


@given(st.dictionaries(plain, values, min_size=1, max_size=4))
def test_values_come_back(value: dict[str, object]) -> None:
    text = yaml.safe_dump(value, allow_unicode=True, default_style='"', width=1000)
    tree, problems = parse_tree(text.encode(), "f.yaml")
    assert not problems
    assert tree is not None
    assert tree.value == _tuples(value)


def _tuples(value: object) -> object:
    if isinstance(value, dict):
        return {key: _tuples(part) for key, part in value.items()}
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value


def test_marks() -> None:
    tree, _ = parse_tree("a: é\nb:\n  - x\n  - {c: 1}\n".encode(), "f.yaml")
    assert tree is not None
    assert tree.value == {"a": "é", "b": ("x", {"c": NotText("1", "a number")})}
    assert tree.keys[("b", 1, "c")] == Mark(4, 6)
    assert tree.mark(("b", 1, "c")) == Mark(4, 9)
    assert tree.mark(("b", 0)) == Mark(3, 5)
    assert tree.mark(("b", 7, "nothing here")) == Mark(3, 3)
    assert tree.key_mark(("b",)) == Mark(2, 1)


def test_dates_stay_text() -> None:
    tree, _ = parse_tree(b"day: 2031-04-01\nmonth: 2031-04\n", "f.yaml")
    assert tree is not None
    assert tree.value == {"day": "2031-04-01", "month": "2031-04"}


def test_byte_order_mark_and_windows_lines() -> None:
    tree, problems = parse_tree(b"\xef\xbb\xbfa: b\r\nc: d\r\n", "f.yaml")
    assert tree is not None
    assert tree.value == {"a": "b", "c": "d"}
    assert not problems
    assert tree.key_mark(("c",)) == Mark(2, 1)


def test_second_value_of_a_key_is_walked_and_dropped() -> None:
    tree, problems = parse_tree(b"a: {x: 1}\na: {x: 2, x: 3}\na: 4\n", "f.yaml")
    assert tree is not None
    assert tree.value == {"a": {"x": NotText("1", "a number")}}
    assert [(problem.line, problem.code) for problem in problems] == [
        (2, "duplicate-key"),
        (2, "duplicate-key"),
        (3, "duplicate-key"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("? [a]\n: b", "bad-key"),
        ("? {a: b}\n: b", "bad-key"),
        ("1: a", "bad-key"),
        ("no: a", "bad-key"),
        ("a: *x", "anchor"),
        ("%YAML 9.9\n---\na: b", "bad-yaml"),
        ("a: 'b", "bad-yaml"),
        ("a: @b", "bad-yaml"),
        ("a: [b", "bad-yaml"),
        ("a: \u2028", "control-character"),
        ("[" + "a, " * (module.MAX_NODES + 1) + "]", "too-many-values"),
    ],
)
def test_codes(text: str, code: str) -> None:
    _, problems = parse_tree(text.encode(), "f.yaml")
    assert [problem.code for problem in problems] == [code]
    assert problems[0].hint


def test_unreadable(tmp_path: Path) -> None:
    assert [problem.code for problem in read_tree(tmp_path, "x")[1]] == ["unreadable"]
    assert [problem.code for problem in read_tree(tmp_path / "none.yaml", "x")[1]] == ["unreadable"]


def test_without_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"a: [x, {b: c}]\nd: >-\n  e\n  f\n"
    fast, _ = parse_tree(text, "f.yaml")
    monkeypatch.setattr(module, "_LOADER", yaml.SafeLoader)
    assert parse_tree(text, "f.yaml")[0] == fast
    assert [problem.code for problem in parse_tree(b"[" * 5000, "f.yaml")[1]] == ["too-deep"]
    assert [problem.code for problem in parse_tree(b"a: b: c", "f.yaml")[1]] == ["bad-yaml"]
