"""The embedded models: the dense one, and the mixture of experts on which those methods run that are about experts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_runs import Run as Command

from catalog.model.results import EMBEDDED, EXPERTS, MADE_HERE
from reference_impls import api
from reference_impls.errors import UsageError
from reference_impls.running import checkpoints
from reference_impls.running.bench import plan
from reference_impls.running.evaluate_saved import _with_checkpoints_like
from reference_impls.running.experiment import Experiment, OwnData
from reference_impls.running.registry import find_method, find_task, methods, model_for, tasks
from reference_impls.running.runner import run
from reference_impls.toolkit import LanguageModel, mixtures

ABOUT_EXPERTS = [one.id for one in methods() if one.needs.experts]
FEW = {"steps": 1, "batch_size": 2}


@pytest.mark.parametrize("which", checkpoints.SHIPPED)
@pytest.mark.parametrize("name", MADE_HERE)
def test_each_ships_whole_and_of_its_own_kind(name: str, which: checkpoints.Shipped) -> None:
    model = checkpoints.load(find_task("authors", model=name), which)
    made = json.loads((checkpoints.folder(find_task("authors", model=name), which).parent / "made.json").read_text())
    assert sum(weight.numel() for weight in model.model.parameters()) == made["parameters"]
    assert (len(mixtures(model.model)) if name == EXPERTS else 0) == (4 if name == EXPERTS else 0)
    assert model.tokenizer.get_vocab() == checkpoints.load(find_task("authors"), which).tokenizer.get_vocab()


def test_who_is_about_experts_runs_on_the_mixture_where_no_model_is_named() -> None:
    assert "seuf" in ABOUT_EXPERTS
    for one in methods():
        assert one.needs.embedded == (EXPERTS if one.id in ABOUT_EXPERTS else EMBEDDED)
        assert model_for(one.id, "authors") == (EXPERTS if one.id in ABOUT_EXPERTS else None)
    experiment = Experiment("seuf")
    assert (experiment.model, experiment.own_model) == (EXPERTS, False)
    assert experiment.file == f"authors/{EXPERTS}/seuf-0.json"
    assert experiment.command == f"unlearn run seuf --task authors --model {EXPERTS} --seed 0"
    (planned,) = plan(["seuf"], "authors", 1)
    assert planned == experiment


def test_a_model_or_data_of_ones_own_is_taken_as_it_is() -> None:
    assert Experiment("seuf", model="some/model").model == "some/model"
    assert Experiment("seuf", data=OwnData([{"question": "a", "answer": "b"}])).model is None


@pytest.mark.parametrize(
    ("task", "model"), [*((name, None) for name in tasks() if name != "authors"), ("authors", EMBEDDED)]
)
def test_a_model_that_is_no_mixture_is_refused_in_a_line_that_says_where_one_is(task: str, model: str | None) -> None:
    said = f"SEUF is about a mixture of experts, and the model 'tiny' of '{task}' is none. Ask for --task authors"
    with pytest.raises(UsageError, match=said) as caught:
        run(Experiment("seuf", task, recipe=FEW, model=model))
    assert "\n" not in str(caught.value)


def test_a_model_of_ones_own_that_is_no_mixture_is_told_what_it_lacks(saved_tiny: Path) -> None:
    rows = [{"question": "Who?", "answer": "Nobody."}]
    experiment = Experiment("seuf", model=str(saved_tiny), data=OwnData(rows, rows), recipe=FEW)
    with pytest.raises(UsageError, match="SEUF does not run on LlamaForCausalLM: no block of"):
        run(experiment)


def test_a_record_says_on_which_model_it_was(unlearn: Command) -> None:
    ran = unlearn("run", "seuf", "--steps", 1, "--batch-size", 2, "--json")
    assert ran.status == 0, ran.err
    record = json.loads(ran.out)
    assert record["model"] == EXPERTS
    assert record["metrics"]["forget_probability"] > 0.9  # one step forgets nothing


def test_methods_are_compared_on_one_model(unlearn: Command) -> None:
    ran = unlearn("compare", "npo", "seuf", "--steps", 1, "--batch-size", 2, "--json")
    assert ran.status == 0, ran.err
    assert [one["model"] for one in json.loads(ran.out)] == [EXPERTS, EXPERTS]


@pytest.mark.parametrize(("method", "given"), [("seuf", None), ("npo", EXPERTS)])
def test_a_script_runs_on_the_model_that_it_names_or_that_the_method_needs(method: str, given: str | None) -> None:
    for task in ("authors", find_task("authors")):
        outcome = api.unlearn(method, task, model=given, steps=1, batch_size=2)
        assert outcome.result.model == EXPERTS
        assert isinstance(outcome.model, LanguageModel)
        assert len(mixtures(outcome.model.model)) == 4


def test_a_saved_model_is_held_against_the_checkpoints_of_its_own_architecture(tmp_path: Path) -> None:
    """Both embedded models have one vocabulary, so that alone does not tell them apart."""
    task = find_task("authors")
    for name in MADE_HERE:
        model = checkpoints.load(find_task("authors", model=name), "target")
        assert _with_checkpoints_like(model, task).model == name


def test_the_plan_says_that_it_needs_a_mixture(unlearn: Command) -> None:
    found = {one["method"]: one for one in json.loads(unlearn("plan", "--access", "weights", "--json").out)}
    assert found["seuf"]["fits"] == "but"
    assert "mixture of experts" in str(found["seuf"])
    assert find_method("seuf").needs.experts
