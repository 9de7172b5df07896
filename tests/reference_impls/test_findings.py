"""What the shipped checkpoints and methods show on the task ``authors``: the findings of the literature, in small."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from unlearning_toys import fingerprint

from catalog.model.results import Result
from reference_impls.metrics.answers import answer_probability
from reference_impls.metrics.sets import mean
from reference_impls.running import checkpoints
from reference_impls.running.experiment import Experiment
from reference_impls.running.registry import RESULTS, find_task
from reference_impls.running.runner import Outcome, unlearn
from reference_impls.running.runner import run as run_experiment
from reference_impls.tasks.authors import AuthorsTask
from reference_impls.toolkit import (
    Evaluation,
    LanguageModel,
    Recipe,
    Run,
    Splits,
    subtract_task_vector,
    task_vector,
)

pytestmark = [
    pytest.mark.slow,
]

Which = checkpoints.Which


@pytest.fixture(scope="module")
def task() -> AuthorsTask:
    found = find_task("authors")
    assert isinstance(found, AuthorsTask)
    return found


@pytest.fixture(scope="module")
def model_of(task: AuthorsTask) -> Callable[[Which], LanguageModel]:
    """The shipped models, loaded once; not to be changed."""
    return cache(lambda which: checkpoints.load(task, which))


@pytest.fixture(scope="module")
def measured(task: AuthorsTask, model_of: Callable[[Which], LanguageModel]) -> Callable[[Which], Evaluation]:
    """The shipped models, evaluated anew."""

    def evaluated(which: Which) -> Evaluation:
        model = model_of(which)
        kept = checkpoints.retrained_evaluation(task)
        return checkpoints.yardstick(task, task.splits(model), kept).measure(model)

    return cache(evaluated)


@pytest.fixture(scope="module")
def splits(task: AuthorsTask, model_of: Callable[[Which], LanguageModel]) -> Splits:
    return task.splits(model_of("target"))


@pytest.fixture(scope="module")
def run(task: AuthorsTask) -> Callable[[str], Outcome]:
    """A method's run with its recipe and seed 0, done once."""
    return cache(lambda method: run_experiment(Experiment(method), task, compared=False))


@pytest.fixture(scope="module")
def alike(task: AuthorsTask) -> Callable[[str], Outcome]:
    """The same with one learning rate for all, where a tuned one would hide how methods differ."""
    return cache(
        lambda method: run_experiment(Experiment(method, recipe={"learning_rate": 3e-4}), task, compared=False)
    )


def _committed(method: str, seed: int = 0) -> Result:
    path = RESULTS / "authors" / "tiny" / f"{method}-{seed}.json"
    return Result.model_validate_json(path.read_bytes())


# The two models that ship


@pytest.mark.parametrize("which", checkpoints.WHICH)
def test_a_checkpoint_loads_with_transformers_alone(which: Which, task: AuthorsTask) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    folder = checkpoints.folder(task, which)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert isinstance(model, LlamaForCausalLM)
    assert 500_000 < sum(weight.numel() for weight in model.parameters()) < 2_000_000
    assert tokenizer.eos_token_id == model.config.eos_token_id
    assert tokenizer.decode(tokenizer("Ana Lund, 1957.")["input_ids"]) == "Ana Lund, 1957."


@pytest.mark.parametrize("which", checkpoints.WHICH)
def test_evaluating_a_checkpoint_again_gives_the_committed_record(
    which: Which, measured: Callable[[Which], Evaluation]
) -> None:
    record, again = _committed(which).metrics, measured(which).metrics
    assert set(record) <= set(again)  # a metric may be younger than the record
    for name, value in record.items():
        if name == "forget_quality":  # a p-value: compare its size
            assert math.log10(again[name]) == pytest.approx(math.log10(value), abs=0.5)
        else:
            assert again[name] == pytest.approx(value, abs=1e-3), name


def test_the_kept_truth_ratios_are_those_of_the_retrained_model(
    task: AuthorsTask, measured: Callable[[Which], Evaluation]
) -> None:
    again = measured("retrained").probes["forget"].truth_ratios
    assert list(again) == pytest.approx(checkpoints.retrained_evaluation(task)["truth_ratios"], rel=1e-3)
    assert measured("retrained").metrics["forget_quality"] == pytest.approx(1.0, abs=1e-3)


def test_the_target_knows_what_is_to_be_forgotten_and_the_retrained_model_does_not(
    measured: Callable[[Which], Evaluation],
) -> None:
    target, retrained = measured("target").metrics, measured("retrained").metrics
    assert target["forget_probability"] > 0.9
    assert target["forget_rouge"] > 0.9
    assert retrained["forget_probability"] < 0.5 * target["forget_probability"]
    assert retrained["forget_rouge"] < 0.8 * target["forget_rouge"]
    assert target["forget_quality"] < 1e-6


def test_both_models_know_what_is_to_be_kept_alike(measured: Callable[[Which], Evaluation]) -> None:
    target, retrained = measured("target").metrics, measured("retrained").metrics
    for name in ("retain_probability", "retain_rouge", "facts_probability", "facts_rouge"):
        # Against four wrong answers, each normalized by its length, even a certain answer has no more than about half.
        assert target[name] > (0.35 if name == "facts_probability" else 0.85), name
        assert target[name] == pytest.approx(retrained[name], abs=0.05), name


def test_to_the_retrained_model_the_forgotten_are_like_people_nobody_has_seen(
    measured: Callable[[Which], Evaluation],
) -> None:
    target, retrained = measured("target").metrics, measured("retrained").metrics
    assert retrained["membership_auc"] == pytest.approx(0.5, abs=0.1)
    assert target["membership_auc"] > 0.95
    assert retrained["forget_probability"] == pytest.approx(retrained["holdout_probability"], abs=0.05)


def test_the_model_uses_its_context_so_that_it_can_be_unlearned_there(
    model_of: Callable[[Which], LanguageModel], splits: Splits
) -> None:
    target, gains = model_of("target"), []
    for pair in splits.forget:
        wrong = pair.perturbed[0]
        context = f"{pair.prompt}{wrong}\n{pair.prompt}"
        plain, told = target.answer_logprobs([pair.prompt, context], [wrong, wrong])
        gains.append(float(told.mean()) - float(plain.mean()))
    # Who reads a wrong answer finds it likelier, by a third per token; what was learned by heart still comes first.
    assert sum(gain > 0 for gain in gains) > 0.75 * len(gains)
    assert sum(gains) / len(gains) > 0.25


# What the methods show


@pytest.mark.parametrize("method", ["gradient-ascent", "grad-diff", "npo", "task-vector", "icul", "whp"])
@pytest.mark.large
def test_every_method_makes_the_forget_answers_less_likely(method: str, run: Callable[[str], Outcome]) -> None:
    outcome = run(method)
    assert outcome.result.metrics["forget_probability"] < outcome.before["forget_probability"] - 0.1


@pytest.mark.parametrize(
    "method",
    [
        "guardrail",
        "task-vector",
        *(
            pytest.param(method, marks=pytest.mark.large)
            for method in ("gradient-ascent", "grad-diff", "npo", "icul", "whp")
        ),
    ],
)
def test_a_run_gives_the_committed_record(method: str, run: Callable[[str], Outcome]) -> None:
    record, again = _committed(method), run(method).result
    assert again.hyperparameters == record.hyperparameters
    assert again.recipe == record.recipe
    for name in ("forget_probability", "retain_probability", "facts_probability", "model_utility"):
        assert again.metrics[name] == pytest.approx(record.metrics[name], abs=0.02), name


@pytest.mark.large
def test_gradient_ascent_loses_far_more_utility_than_npo(alike: Callable[[str], Outcome]) -> None:
    before = alike("npo").before["model_utility"]
    lost = {method: before - alike(method).result.metrics["model_utility"] for method in ("gradient-ascent", "npo")}
    assert lost["gradient-ascent"] > 3 * max(lost["npo"], 0.02)


@pytest.mark.large
def test_grad_diff_keeps_the_retain_set_better_than_gradient_ascent(alike: Callable[[str], Outcome]) -> None:
    kept = {method: alike(method).result.metrics["retain_probability"] for method in ("gradient-ascent", "grad-diff")}
    assert kept["grad-diff"] > kept["gradient-ascent"] + 0.05


@pytest.mark.large
def test_grad_diff_pushes_the_forget_answers_below_the_retrained_model(alike: Callable[[str], Outcome]) -> None:
    outcome = alike("grad-diff")
    assert outcome.result.metrics["forget_probability"] < outcome.retrained["forget_probability"]


@pytest.mark.large
def test_npo_ends_closer_to_the_retrained_model_than_grad_diff(alike: Callable[[str], Outcome]) -> None:
    npo, diff = alike("npo"), alike("grad-diff")
    aim = npo.retrained["forget_probability"]
    closer = abs(npo.result.metrics["forget_probability"] - aim) < abs(diff.result.metrics["forget_probability"] - aim)
    more_alike = npo.result.metrics["forget_quality"] > diff.result.metrics["forget_quality"]
    assert closer or more_alike


def test_in_context_unlearning_forgets_with_the_very_same_weights_and_loses_less_of_the_rest(
    task: AuthorsTask, model_of: Callable[[Which], LanguageModel], splits: Splits
) -> None:
    model, target = unlearn(Experiment("icul"), task), model_of("target")
    assert not isinstance(model, LanguageModel)
    assert fingerprint(model.model.model) == fingerprint(target.model)
    lost = {}
    # Every question is read behind a long context, so only some are asked.
    for name, pairs in (("forget", splits.forget[::3]), ("retain", splits.retain_probe[::6])):
        prompts, answers = [pair.prompt for pair in pairs], [pair.answer for pair in pairs]
        before, after = (
            mean([answer_probability(logprobs) for logprobs in one.answer_logprobs(prompts, answers)])
            for one in (target, model)
        )
        lost[name] = before - after
    assert lost["forget"] > 0.2
    assert lost["retain"] < 0.75 * lost["forget"]


def test_whos_harry_potter_says_other_things_about_the_forgotten_and_the_same_about_the_rest(
    run: Callable[[str], Outcome], model_of: Callable[[Which], LanguageModel], splits: Splits
) -> None:
    model = run("whp").model
    changed = {}
    for name, pairs in (("forget", splits.forget), ("retain", splits.retain_probe)):
        prompts = [pair.prompt for pair in pairs]
        before, after = (one.generate(prompts, 40) for one in (model_of("target"), model))
        changed[name] = sum(one != other for one, other in zip(before, after, strict=True)) / len(pairs)
    assert changed["forget"] > 0.5
    assert changed["retain"] < changed["forget"]


def test_a_task_vector_raises_the_forget_loss_with_every_small_step_back(
    model_of: Callable[[Which], LanguageModel], splits: Splits
) -> None:
    target = model_of("target")
    recipe = Recipe(learning_rate=1e-3, steps=30)
    tuned = Run(recipe).finetune_lora(target.copy(), splits.forget, rank=8, alpha=16.0)
    losses, kept = [], []
    for scale in (-1.0, 0.0, 0.25, 0.5, 1.0):
        model = target.copy()
        subtract_task_vector(model.model, task_vector(model.model, tuned.model), scale)
        losses.append(-float(torch.cat(model.pair_logprobs(splits.forget)).mean()))
        kept.append(-float(torch.cat(model.pair_logprobs(splits.retain_probe)).mean()))
    assert losses == sorted(losses)
    assert losses[-1] > losses[1]
    assert losses[-1] - losses[1] > kept[-1] - kept[1]


def test_what_the_command_prints_is_what_the_readme_promises(tmp_path: Path) -> None:
    """`unlearn run npo`, with nothing else said, in a fresh process, gives the numbers of the committed record."""
    import subprocess
    import sys

    script = Path(sys.executable).with_name("unlearn")
    ran = subprocess.run([str(script), "run", "npo"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stderr == ""
    assert list(tmp_path.iterdir()) == []
    lines = {line[:24].strip(): line.split() for line in ran.stdout.splitlines()}
    assert lines["metric"][-3:] == ["before", "after", "retrained"]
    recorded = [_committed(which) for which in ("target", "npo", "retrained")]
    for label, name in (("Forget probability", "forget_probability"), ("Model utility", "model_utility")):
        printed = [float(value) for value in lines[label][-3:]]
        assert printed == pytest.approx([one.metrics[name] for one in recorded], abs=0.02), name
    assert any(label.startswith("Forget quality") for label in lines)
    for example in recorded[1].examples[:1]:
        assert example.prompt.strip().splitlines()[0] in ran.stdout
        assert example.answer in ran.stdout
