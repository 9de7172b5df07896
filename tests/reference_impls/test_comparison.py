"""How far a model is from the retrained one, against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor

from reference_impls.measuring.comparison import compare
from reference_impls.measuring.depth import layer_drops
from reference_impls.metrics.answers import answer_probability
from reference_impls.toolkit import AnswerDistribution, LanguageModel, Pair, Splits


class Certain:
    """No weights: gives every answer's tokens the same distribution over the vocabulary, and always says one thing."""

    def __init__(self, like: LanguageModel, says: str) -> None:
        self.like, self.says = like, says

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Tensor]:
        return [one.chosen for one in self.distributions(prompts, answers)]

    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        size = self.like.model.config.vocab_size
        for one in self.like.distributions(prompts, answers):
            yield AnswerDistribution(torch.full((len(one.targets), size), -math.log(size)), one.targets)

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        return [self.says for _ in prompts]


def test_the_retrained_model_is_like_itself(tiny: LanguageModel, learned: LanguageModel, pairs: list[Pair]) -> None:
    splits = Splits(forget=tuple(pairs[:4]), retain=tuple(pairs[4:]))
    found = compare(tiny, learned, tiny, splits, 4)
    assert found["forget_kl"] == pytest.approx(0.0, abs=1e-9)
    assert found["relative_distance"] == 0.0
    assert found["unlearning_depth"] == pytest.approx(1.0)
    before = compare(learned, learned, tiny, splits, 4)
    assert before["relative_distance"] == 1.0
    assert before["unlearning_depth"] == pytest.approx(0.0, abs=1e-6)


def test_a_model_without_weights_is_compared_by_what_it_expects_and_writes(
    tiny: LanguageModel, learned: LanguageModel, pairs: list[Pair]
) -> None:
    splits = Splits(forget=tuple(pairs[:4]), retain=tuple(pairs[4:]))
    found = compare(Certain(tiny, "Ana Lund was born."), learned, tiny, splits, 4)
    assert "relative_distance" not in found
    # KL to a uniform distribution is ln V minus the entropy.
    size = tiny.model.config.vocab_size
    entropies = [
        float(-one.expected.double().mean())
        for one in tiny.distributions([one.prompt for one in splits.forget], [one.answer for one in splits.forget])
    ]
    assert found["forget_kl"] == pytest.approx(math.log(size) - sum(entropies) / 4, abs=1e-5)
    assert found["retain_perplexity"] == pytest.approx(size, rel=1e-5)
    judged = tiny.answer_logprobs([one.prompt for one in splits.forget], [" Ana Lund was born."] * 4)
    assert found["forget_likeness"] == pytest.approx(sum(map(answer_probability, judged)) / 4)
    assert found["forget_sense"] == 1.0  # every pair of words of it is in the answers
    # Four times "Ana Lund was born.": pairs 4 4 4 3 of 15, triples 4 4 3 3 of 14.
    two = -sum(n / 15 * math.log2(n / 15) for n in (4, 4, 4, 3))
    three = -sum(n / 14 * math.log2(n / 14) for n in (4, 4, 3, 3))
    assert found["forget_variety"] == pytest.approx(two / 3 + 2 * three / 3)


@pytest.mark.parametrize(
    ("says", "sense"), [("Ana Ana Ana Ana", 1 / 4), ("born Lund Ana was", 0.0), ("I don't know.", 1.0), ("", 0.0)]
)
def test_gibberish_makes_no_sense_and_a_refusal_does(
    tiny: LanguageModel, learned: LanguageModel, pairs: list[Pair], says: str, sense: float
) -> None:
    splits = Splits(forget=tuple(pairs[:4]), retain=tuple(pairs[4:]))
    assert compare(Certain(tiny, says), learned, tiny, splits, 4)["forget_sense"] == pytest.approx(sense)


def test_plain_texts_are_not_asked_for_an_answer(tiny: LanguageModel, learned: LanguageModel) -> None:
    splits = Splits(forget=(Pair("", "Ana Lund was born in spring."),), retain=(Pair("", "Hogwarts is a School."),))
    assert set(compare(tiny, learned, tiny, splits, 4)) == {
        *("forget_kl", "retain_perplexity", "relative_distance", "unlearning_depth")
    }


def test_a_last_layer_that_only_hides_is_no_depth(
    tiny: LanguageModel, learned: LanguageModel, pairs: list[Pair]
) -> None:
    """A model that differs from the target in its head's norm alone answers otherwise, and lacks nothing inside."""
    hiding = learned.copy()
    with torch.no_grad():
        hiding.model.model.norm.weight.mul_(0.05)
    splits = Splits(forget=tuple(pairs[:4]), retain=tuple(pairs[4:]))
    found = compare(hiding, learned, tiny, splits, 4)
    assert found["forget_kl"] < compare(learned, learned, tiny, splits, 4)["forget_kl"]
    assert found["unlearning_depth"] == pytest.approx(0.0, abs=1e-6)


@torch.inference_mode()
def test_states_are_exchanged_layer_by_layer_where_the_answer_is_predicted(
    tiny: LanguageModel, learned: LanguageModel, pairs: list[Pair]
) -> None:
    drops = layer_drops(learned, tiny, pairs[:3])
    assert [len(one) for one in drops] == [learned.layers] * 3
    # With the last block's output exchanged at every place that counts, only the other model's states reach the head.
    batch = learned.encode(pairs[:3])
    states = learned.model.model.norm(tiny.activations(batch, 1.0))
    logprobs = torch.log_softmax(learned.model.get_output_embeddings()(states), dim=1)
    sequence, place = batch.supervised
    targets = batch.labels[sequence, place + 1]
    told = logprobs.gather(1, targets[:, None])[:, 0]
    for row, known in enumerate(learned.pair_logprobs(pairs[:3])):
        assert drops[row][-1] == pytest.approx(float(known.mean() - told[sequence == row].mean()), abs=1e-4)
    assert layer_drops(learned, learned, pairs[:3]) == [pytest.approx([0.0] * learned.layers, abs=1e-5)] * 3
