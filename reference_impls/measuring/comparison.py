"""What a model is held against: the model before unlearning, and the one that never saw the forget set.

A task's own metrics need what the evaluation of the retrained model kept; those of :func:`compare` need that model
itself, to see how far the unlearned one is from it in what it expects, writes and weighs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from reference_impls.measuring.depth import THRESHOLD, layer_drops
from reference_impls.metrics.answers import answer_probability, perplexity
from reference_impls.metrics.fluency import WordPair, known_word_pairs, ngram_entropy, pairs_of
from reference_impls.metrics.models import depth_score, kl_divergence, relative_distance
from reference_impls.metrics.sets import mean
from reference_impls.toolkit import REFUSALS, Evaluation, LanguageModel, Pair, Splits, Task, UnlearnedModel, weights_of

WRITTEN = 40
"""To how many forget questions, evenly spread, an answer is written, and is looked for inside the model."""


@dataclass(frozen=True)
class Yardstick:
    """A task's data, and the models to compare with if it ships any."""

    task: Task
    splits: Splits
    target: LanguageModel | None = None
    retrained: LanguageModel | None = None
    kept: Mapping[str, Sequence[float]] | None = None
    """What the evaluation of the retrained model on these splits kept for comparisons."""

    def measure(self, model: UnlearnedModel) -> Evaluation:
        """The task's metrics of a model, and how far it is from the retrained one."""
        evaluation = self.task.evaluate(model, self.splits, self.kept)
        if self.target is None or self.retrained is None:
            return evaluation
        apart = compare(model, self.target, self.retrained, self.splits, self.task.max_new_tokens)
        return replace(evaluation, metrics=evaluation.metrics | apart)


def compare(
    model: UnlearnedModel, target: LanguageModel, retrained: LanguageModel, splits: Splits, max_new_tokens: int
) -> dict[str, float]:
    """Metrics that need the retrained model itself, and not only what its evaluation kept.

    Args:
        model: what to measure.
        target: the model before unlearning.
        retrained: the model that never saw the forget set, of the same architecture.
        splits: the task's data, in the models' format.
        max_new_tokens: how long an answer may get.

    Returns:
        ``forget_kl``, ``forget_likeness``, ``forget_sense``, ``forget_variety`` and ``retain_perplexity``; and, where
        the model has weights of the same architecture, ``relative_distance`` and ``unlearning_depth``.
    """
    metrics = {"forget_kl": _kl(model, retrained, splits.forget)}
    prompts = [pair.prompt for pair in _spread([pair for pair in splits.forget if pair.prompt], WRITTEN)]
    if prompts:
        written = model.generate(prompts, max_new_tokens)
        judged = retrained.answer_logprobs(prompts, [retrained.answer(text) for text in written])
        metrics["forget_likeness"] = mean([answer_probability(values) for values in judged])
        known = _language(splits)
        metrics["forget_sense"] = mean([known_word_pairs(text, known) for text in written])
        metrics["forget_variety"] = ngram_entropy([word for text in written for word in text.split()])
    kept = splits.retain_probe or splits.retain
    if kept:
        scored = model.answer_logprobs([pair.prompt for pair in kept], [pair.answer for pair in kept])
        metrics["retain_perplexity"] = perplexity(scored)
    weights = weights_of(model)
    if weights is not None:
        with suppress(ValueError):  # other parameters, such as adapters beside them or a token more
            metrics["relative_distance"] = relative_distance(weights.model, target.model, retrained.model)
        with suppress(ValueError):  # no layer holds an answer
            pairs = list(_spread(splits.forget, WRITTEN))
            lacking, erased = (layer_drops(target, source, pairs) for source in (retrained, weights))
            metrics["unlearning_depth"] = depth_score(lacking, erased, THRESHOLD)
    return metrics


def _kl(model: UnlearnedModel, retrained: LanguageModel, pairs: Sequence[Pair]) -> float:
    prompts, answers = [pair.prompt for pair in pairs], [pair.answer for pair in pairs]
    places = zip(retrained.distributions(prompts, answers), model.distributions(prompts, answers), strict=True)
    return mean([kl_divergence(reference.logprobs, distribution.logprobs) for reference, distribution in places])


def _language(splits: Splits) -> set[WordPair]:
    """What may stand together in an answer: all that stands together in the task's data, right or wrong, or refuses."""
    pairs = [*splits.forget, *splits.retain, *splits.holdout, *splits.facts]
    answers = (
        text for pair in pairs for text in (pair.answer, pair.paraphrase, *pair.perturbed, *pair.alternates) if text
    )
    return pairs_of((pair.prompt for pair in pairs), (*answers, *REFUSALS))


def _spread(pairs: Sequence[Pair], count: int) -> Iterator[Pair]:
    """At most ``count`` of the pairs, evenly spread."""
    step = max(1, -(-len(pairs) // count))
    yield from pairs[::step]
