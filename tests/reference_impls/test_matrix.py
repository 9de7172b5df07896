"""The table of what runs on which architecture is what comes out, and what goes wrong is in it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import command_runs
import pytest
from unlearning_toys import invented_data

from catalog.model.architectures import Architecture, Architectures, Tried
from reference_impls.models.architectures import ALL, small_model
from reference_impls.running import matrix
from reference_impls.running.matrix import FILE, Row, try_out, try_row
from reference_impls.running.registry import configure, find_method, methods
from reference_impls.toolkit import LanguageModel

pytestmark = pytest.mark.filterwarnings("ignore:The following .*_pattern keys did not match:RuntimeWarning")

COMMITTED = Architectures.model_validate_json(FILE.read_bytes())


def test_every_architecture_is_in_the_table_and_nothing_fails() -> None:
    assert tuple(COMMITTED.families) == ALL
    failing = {
        (family, method): tried.said
        for family, one in COMMITTED.families.items()
        for method, tried in one.methods.items()
        if tried.outcome == "fails"
    }
    assert failing == {}


def test_what_is_refused_is_said_in_a_line() -> None:
    refused = [one for row in COMMITTED.families.values() for one in row.methods.values() if one.outcome == "refused"]
    assert refused
    assert all(one.said and "\n" not in one.said for one in refused)


@pytest.mark.slow
@pytest.mark.parametrize("family", ALL)
def test_a_cell_of_each_row_comes_out_again(family: str) -> None:
    """Another one for each row, the same each time; `unlearn architectures` makes all."""
    known = [one.id for one in methods() if one.id in COMMITTED.families[family].methods]
    chosen = known[int(hashlib.sha256(family.encode()).hexdigest(), 16) % len(known)]
    assert try_row(Row(family, (chosen,))).methods[chosen] == COMMITTED.families[family].methods[chosen]


def test_what_breaks_or_comes_back_otherwise_is_a_failure(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model, method = small_model("llama", tiny.tokenizer), find_method("ga")

    class Broken(type(configure(method, {}, {}))):  # type: ignore[misc]
        def unlearn(self, *given: Any) -> LanguageModel:
            raise KeyError("no such part")

    monkeypatch.setattr(matrix, "configure", lambda *given: Broken())
    broken = try_out(method, model, invented_data())
    assert (broken.outcome, broken.said) == ("fails", "KeyError: 'no such part'")
    monkeypatch.undo()
    monkeypatch.setattr(matrix, "put_together", lambda folder, again, method: small_model("llama", again.tokenizer))
    other = try_out(method, model, replace(invented_data()))
    assert other.outcome == "fails"
    assert "loaded again" in other.said


def test_what_is_known_of_other_methods_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    known = Architecture(network="A", methods={"npo": Tried(outcome="runs"), "ga": Tried(outcome="fails", said="x")})
    table = Architectures(command="c", versions={}, families=dict.fromkeys(ALL, known))
    (tmp_path / "architectures.json").write_text(table.to_json(), encoding="utf-8")
    monkeypatch.setattr(matrix, "FILE", tmp_path / "architectures.json")
    again = Architecture(network="A", methods={"ga": Tried(outcome="runs")})
    monkeypatch.setattr(
        matrix, "run_all", lambda function, rows, done, workers: [done(row, again) for row in rows] and []
    )
    found = matrix.try_all([find_method("ga")])
    assert found.families["llama"].methods == {"ga": Tried(outcome="runs"), "npo": Tried(outcome="runs")}
    assert Architectures.model_validate_json((tmp_path / "architectures.json").read_bytes()) == found


def test_what_is_known_of_other_architectures_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    known = Architecture(network="A", methods={"ga": Tried(outcome="fails", said="x")})
    table = Architectures(command="c", versions={}, families={name: known for name in ALL if name != "gpt2"})
    (tmp_path / "architectures.json").write_text(table.to_json(), encoding="utf-8")
    monkeypatch.setattr(matrix, "FILE", tmp_path / "architectures.json")
    again = Architecture(network="A", methods={"ga": Tried(outcome="runs")})
    monkeypatch.setattr(
        matrix, "run_all", lambda function, rows, done, workers: [done(row, again) for row in rows] and []
    )
    found = matrix.try_all([find_method("ga")], families=["mamba"])
    assert found.families == {**table.families, "mamba": again}


def test_an_architecture_that_is_not_there_is_an_error_with_the_nearest(unlearn: command_runs.Run) -> None:
    ended = unlearn("architectures", "npo", "--family", "lama")
    assert ended.status == 2
    assert "Did you mean 'llama'?" in ended.err
