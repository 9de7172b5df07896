"""What is printed and drawn of runs, from outcomes made up for the purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from invented_results import invented_result
from markup_trees import SVG

from reference_impls.commands.printing import print_run, write_plot
from reference_impls.errors import UsageError
from reference_impls.running.registry import find_method
from reference_impls.running.runner import Outcome


def _outcome(method: str, known: float, **changes: object) -> Outcome:
    values: dict[str, Any] = {
        "method": method,
        "task": "passages",
        "metrics": {"forget_knowledge": known, "model_utility": 0.9, "forget_variety": 3.0},
        "seconds": 1.25,
        "forward_passes": 320,
        "backward_passes": 160,
    }
    before = {"forget_knowledge": 1.0, "model_utility": 1.0}
    return Outcome(cast(Any, None), invented_result(**(values | changes)), before, before | {"forget_knowledge": 0.1})


def test_a_plot_has_the_tasks_own_headline_across(tmp_path: Path) -> None:
    out = tmp_path / "plot.svg"
    write_plot([_outcome("npo", 0.2), _outcome("grad-diff", 0.4)], out)
    root = ElementTree.parse(out).getroot()
    assert root.findtext(f"{SVG}title") == "Model utility against forget knowledge"
    described = root.findtext(f"{SVG}desc") or ""
    for name in ("npo", "grad-diff", "target", "retrained"):
        assert name in described


def test_a_plot_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere.*cannot be written"):
        write_plot([_outcome("npo", 0.2)], tmp_path / "nowhere" / "plot.svg")


def test_a_run_says_what_it_cost_and_how_requests_followed_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    stages = ({"forget_knowledge": 0.75, "model_utility": 0.95}, {"forget_knowledge": 0.25, "model_utility": 0.9})
    print_run(find_method("npo"), _outcome("npo", 0.25, requests=2, stages=stages))
    said = capsys.readouterr().out
    assert "1.25 s, 320 forward and 160 backward passes" in said
    rows = {line.split("  ")[0]: line.split() for line in said.partition("Request by request")[2].splitlines()}
    assert rows["Forget knowledge"][-2:] == ["0.750", "0.250"]
    assert "Fluency" not in said  # a detail: kept in the record
