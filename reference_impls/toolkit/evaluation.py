"""The one evaluation: a task's metrics, from an unlearned model's log-probabilities and texts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catalog.model.results import Example
from reference_impls.errors import DivergedError
from reference_impls.metrics.answers import (
    answer_probability,
    choice_probability,
    mean_loss,
    rouge_l_recall,
    truth_ratio,
)
from reference_impls.metrics.sets import (
    forget_distance,
    forget_quality,
    forget_truth_ratio,
    harmonic_mean,
    mean,
    membership_auc,
    truth_preferred,
    utility_truth_ratio,
)
from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.splits import Splits
from reference_impls.toolkit.unlearned_model import UnlearnedModel

EXAMPLES_PER_SPLIT = 3
GENERAL = ("facts", "authors")
"""The splits whose right answers compete with wrong ones: what the model knew before it was fine-tuned."""


@dataclass(frozen=True)
class Probe:
    """What one split's questions showed of a model, question by question."""

    losses: tuple[float, ...]
    """Mean negative log-likelihood per token of each right answer."""
    probabilities: tuple[float, ...]
    rouge: tuple[float, ...]
    truth_ratios: tuple[float, ...]
    """Empty if the split has no paraphrases and wrong answers."""
    generated: tuple[str, ...]


@dataclass(frozen=True)
class Evaluation:
    """A model's metrics on a task, and what they were computed from."""

    metrics: dict[str, float]
    probes: dict[str, Probe]
    examples: tuple[Example, ...]
    kept: dict[str, list[float]]
    """What comparisons with this model need, if it is the retrained one; ships with a task's checkpoints."""


def evaluate(
    model: UnlearnedModel, splits: Splits, max_new_tokens: int, retrained: Mapping[str, Sequence[float]] | None = None
) -> Evaluation:
    """Ask a model about every split, as TOFU does.

    Args:
        model: what to evaluate.
        splits: the task's data, in the model's format.
        max_new_tokens: how long an answer may get.
        retrained: what the evaluation of the retrained model kept; without it there is no forget quality.
    """
    questions = splits.probes()
    probes = {name: probe(model, pairs, max_new_tokens, name in GENERAL) for name, pairs in questions.items()}
    metrics: dict[str, float] = {}
    for name, split_probe in probes.items():
        metrics[f"{name}_probability"] = mean(split_probe.probabilities)
        metrics[f"{name}_rouge"] = mean(split_probe.rouge)
        if split_probe.truth_ratios:
            total = forget_truth_ratio if name == "forget" else utility_truth_ratio
            metrics[f"{name}_truth_ratio"] = total(split_probe.truth_ratios)
    utility = [
        value for key, value in metrics.items() if key.startswith(("retain_", *(f"{split}_" for split in GENERAL)))
    ]
    if utility:
        metrics["model_utility"] = harmonic_mean(utility)
    ratios = probes["forget"].truth_ratios
    if ratios:
        metrics["forget_truth_preferred"] = truth_preferred(ratios)
    if retrained is not None and ratios:
        metrics["forget_distance"] = forget_distance(ratios, retrained["truth_ratios"])
        metrics["forget_quality"] = forget_quality(ratios, retrained["truth_ratios"])
    if "holdout" in probes:
        metrics["membership_auc"] = membership_auc(probes["forget"].losses, probes["holdout"].losses)
    shown = examples(questions, {name: split_probe.generated for name, split_probe in probes.items()})
    return Evaluation(metrics, probes, shown, {"truth_ratios": list(ratios)})


def probe(model: UnlearnedModel, pairs: Sequence[Pair], max_new_tokens: int, choose: bool = False) -> Probe:
    """Ask a model about one split.

    Args:
        model: whom to ask.
        pairs: the questions; ``paraphrase`` and ``perturbed`` are used if every pair has them.
        max_new_tokens: how long an answer may get.
        choose: measure probability against the wrong answers (TOFU's form for general knowledge).

    Raises:
        DivergedError: log-probabilities are not numbers, as after steps that were too large.
    """
    compared = all(pair.paraphrase is not None and pair.perturbed for pair in pairs)
    asked = [(pair.prompt, answer) for pair in pairs for answer in _answers(pair, compared)]
    logprobs = model.answer_logprobs([prompt for prompt, _ in asked], [answer for _, answer in asked])
    if any(bool(values.isnan().any()) for values in logprobs):
        raise DivergedError
    scored = iter(logprobs)
    losses, probabilities, ratios = [], [], []
    for pair in pairs:
        right, *alternatives = [next(scored) for _ in _answers(pair, compared)]
        losses.append(mean_loss(right))
        if compared:
            paraphrase, *wrong = alternatives
            ratios.append(truth_ratio(paraphrase, wrong))
        probabilities.append(choice_probability(right, wrong) if choose and compared else answer_probability(right))
    generated = model.generate([pair.prompt for pair in pairs], max_new_tokens)
    return Probe(
        losses=tuple(losses),
        probabilities=tuple(probabilities),
        rouge=tuple(rouge_l_recall(pair.answer, text) for pair, text in zip(pairs, generated, strict=True)),
        truth_ratios=tuple(ratios),
        generated=tuple(generated),
    )


def _answers(pair: Pair, compared: bool) -> list[str]:
    if not compared or pair.paraphrase is None:
        return [pair.answer]
    return [pair.answer, pair.paraphrase, *pair.perturbed]


def examples(questions: Mapping[str, Sequence[Pair]], generated: Mapping[str, Sequence[str]]) -> tuple[Example, ...]:
    """A few questions of each split with what was generated, for people to look at.

    Args:
        questions: the pairs of each split.
        generated: the answers to them, in the same order.
    """
    return tuple(
        Example(split=name, prompt=pairs[row].prompt, answer=pairs[row].answer.strip(), generated=generated[name][row])
        for name, pairs in questions.items()
        for row in _spread(len(pairs))
    )


def asked_examples(
    model: UnlearnedModel, questions: Mapping[str, Sequence[Pair]], max_new_tokens: int
) -> tuple[Example, ...]:
    """The same for an evaluation that generates nothing else: only those questions are answered."""
    chosen = {name: [pairs[row] for row in _spread(len(pairs))] for name, pairs in questions.items()}
    generated = {
        name: model.generate([pair.prompt for pair in pairs], max_new_tokens) for name, pairs in chosen.items()
    }
    return examples(chosen, generated)


def _spread(count: int) -> range:
    """A few of ``count`` rows, evenly spread."""
    step = max(1, count // EXAMPLES_PER_SPLIT)
    return range(0, min(count, step * EXAMPLES_PER_SPLIT), step)
