"""``unlearn plan``: what one has, and which methods fit it."""

from __future__ import annotations

import json
import re

import pytest
from command_runs import Run

from catalog.model.choosing import FITS, candidates, questions, ranked
from catalog.model.results import read_results
from reference_impls.running.registry import PACKAGE, RESULTS, implementations, methods

TASKS = [one for one in implementations().values() if one.kind == "task"]


def test_without_an_answer_every_method_fits(unlearn: Run) -> None:
    ran = unlearn("plan")
    assert ran.status == 0
    assert f"{len(methods())} of {len(methods())} methods fit" in ran.out
    assert "What can you reach? open: --access prompts|weights|training" in ran.out


def test_it_says_what_fits_and_why_the_others_do_not(unlearn: Run) -> None:
    ran = unlearn("plan", "--access", "prompts")
    fitting, others = ran.out.split("These do not")
    assert "works on the prompt alone" in fitting
    assert "npo: needs the model's weights" in others
    command = re.search(r"On your own model: unlearn run (\S+) --model DIR --forget forget.jsonl", others)
    assert command
    found = {one["method"]: one for one in json.loads(unlearn("plan", "--access", "prompts", "--json").out)}
    assert found[command[1]]["fits"] == "yes"
    assert f"{command[1]} " in fitting


def test_it_says_what_to_switch_off_without_what_must_stay(unlearn: Run) -> None:
    found = {one["method"]: one for one in json.loads(unlearn("plan", "--retain", "no", "--json").out)}
    assert "--set retain_weight=0" in found["npo"]["command"]
    assert (found["grad-diff"]["fits"], found["npo"]["fits"], found["gradient-ascent"]["fits"]) == ("no", "but", "yes")


def test_where_nothing_fits_it_says_so_and_names_what_lacks_least(unlearn: Run) -> None:
    ran = unlearn("plan", "--access", "prompts", "--guarantee", "exact")
    said = ran.out.split("No method that runs here fits all of this.")[1]
    others = [line.partition(":") for line in said.split("These do not")[1].splitlines() if ": " in line]
    lacking = [len(why.split(";")) for _, _, why in others]
    assert len(others) == len(methods())
    assert lacking == sorted(lacking)
    assert "On your own model" not in ran.out


@pytest.mark.parametrize("question", [one.id for one in questions(TASKS)])
def test_every_answer_is_that_of_the_rules_on_the_committed_records(unlearn: Run, question: str) -> None:
    """The site's page is made from the same call."""
    results, _ = read_results(RESULTS, PACKAGE.parent)
    options = next(one.options for one in questions(TASKS) if one.id == question)
    for option in options:
        situation = {question: option.id}
        found = json.loads(unlearn("plan", f"--{question}", option.id, "--json").out)
        expected = ranked(candidates(methods(), TASKS, results), situation)
        assert [(one["method"], one["fits"]) for one in found] == [
            (one.method.id, one.fit(situation)) for one in expected
        ]
        assert [FITS.index(one["fits"]) for one in found] == sorted(FITS.index(one["fits"]) for one in found)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--access", "wieghts"], "There is no answer to --access 'wieghts'. Did you mean 'weights'?"),
        (["--memory", "4"], "There is: none, one, several."),
        (["--forget", "people"], "There is: authors, hazards, passages."),
    ],
)
def test_an_answer_that_is_none_is_one_clear_message(unlearn: Run, words: list[str], says: str) -> None:
    ran = unlearn("plan", *words)
    assert ran.status != 0
    assert says in ran.err
    assert "Traceback" not in ran.err


# On a model


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with nothing but a configuration: no weight is read."""
    folder = tmp_path_factory.mktemp("llama")
    shape = {"hidden_size": 512, "intermediate_size": 1376, "num_hidden_layers": 8, "num_attention_heads": 8}
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 1000, **shape}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(folder)


def test_on_a_model_every_method_says_what_it_takes_or_why_it_does_not_run(unlearn: Run, llama: str) -> None:
    found = {one["method"]: one for one in json.loads(unlearn("plan", "--model", llama, "--tokens", "2", "--json").out)}
    assert len(found) == len(methods())
    refused = {name for name, one in found.items() if one["estimate"] is None}
    assert refused == {one.id for one in methods() if one.needs.experts}
    assert "does not run on LlamaForCausalLM" in found["seuf"]["reasons"][0]["why"]
    weights = 2 * 512 * 1000 + 8 * (4 * 512**2 + 3 * 512 * 1376 + 2 * 512) + 512
    least, most = found["grad-diff"]["estimate"]["bytes"]
    assert least == most > 16 * weights
    assert found["guardrail"]["estimate"]["bytes"][0] < 5 * weights
    assert found["grad-diff"]["estimate"]["seconds"] > 0
    assert f"--model {llama} " in found["grad-diff"]["command"]


def test_what_does_not_fit_into_memory_is_told(unlearn: Run, llama: str) -> None:
    weights = 2 * 512 * 1000 + 8 * (4 * 512**2 + 3 * 512 * 1376 + 2 * 512) + 512
    room = f"{10 * weights / 1e9:.4f}"
    on = ("plan", "--model", llama, "--room", room, "--tokens", "2")
    said = unlearn(*on).out
    assert re.search(r"^grad-diff: takes about [\d.]+ GB, and there are 0\.\d+ GB$", said, re.MULTILINE)
    assert "hours" in said
    small = json.loads(unlearn(*on, "--lora", "--dtype", "bfloat16", "--json").out)
    assert next(one for one in small if one["method"] == "grad-diff")["fits"] == "yes"
    assert next(one for one in small if one["method"] == "task-vector")["fits"] == "no"


def test_what_says_something_of_a_model_needs_one(unlearn: Run) -> None:
    ran = unlearn("plan", "--lora")
    assert ran.status == 2
    assert ran.err == "unlearn: --lora says something of a model: name it with --model DIR_OR_NAME.\n"
