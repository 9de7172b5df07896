"""The committed table of what runs on which architecture, as the catalog reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.model.architectures import Architecture, Architectures, Tried, read_architectures

TABLE = Architectures(
    command="unlearn architectures",
    versions={"torch": "2"},
    families={
        "llama": Architecture(network="Llama", methods={"rome": Tried(outcome="runs"), "npo": Tried(outcome="runs")}),
        "mamba": Architecture(
            network="Mamba", methods={"rome": Tried(outcome="refused", said="no MLP"), "npo": Tried(outcome="runs")}
        ),
    },
)


def write(root: Path, text: str) -> Path:
    folder = root / "reference_impls" / "models"
    folder.mkdir(parents=True)
    (folder / "architectures.json").write_text(text, encoding="utf-8")
    return root / "reference_impls"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert read_architectures(write(tmp_path, TABLE.to_json()), tmp_path) == (TABLE, [])


def test_no_table_is_no_problem(tmp_path: Path) -> None:
    assert read_architectures(tmp_path, tmp_path) == (None, [])


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"command": 1}', TABLE.to_json().replace("runs", "walks")])
def test_any_damage_is_a_problem_with_a_hint(text: str, tmp_path: Path) -> None:
    found, (problem,) = read_architectures(write(tmp_path, text), tmp_path)
    assert found is None
    assert (problem.code, problem.severity) == ("bad-architectures", "error")
    assert "unlearn architectures" in problem.hint


def test_a_method_is_told_where_it_does_not_run() -> None:
    assert TABLE.refusing("rome") == {"mamba": "no MLP"}
    assert TABLE.refusing("npo") == {}
    assert (TABLE.trying("rome"), TABLE.trying("unknown")) == (2, 0)
    assert TABLE.families["mamba"].count("refused") == 1
