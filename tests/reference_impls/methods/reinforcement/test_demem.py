from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose

from reference_impls.methods.reinforcement.demem import DeMem, returns, similarity
from reference_impls.toolkit import Batch, LanguageModel, Pair, Recipe, Run, UnlearningData


@pytest.mark.parametrize(
    ("sampled", "true", "value"),
    [
        ("a b x y", "a b c d", 0.5),
        ("a b c d", "A B C D", 1.0),
        ("x y", "a b", 0.0),
        ("", "a b", 0.0),
        ("a a a", "a b b", 1 / 3),
        ("a", "a b c", 0.5),
    ],
)
def test_similarity_is_the_f1_of_words(sampled: str, true: str, value: float) -> None:
    assert similarity(sampled, true) == pytest.approx(value)


def test_a_token_earns_what_comes_after_it_and_pays_for_leaving_the_model() -> None:
    old = torch.tensor([-1.0, -1.0, -2.0, -0.5])
    before = torch.tensor([-1.5, -1.0, -2.0, -1.5])
    # Two samples of two tokens each; the charge is 0.2 (log pi - log pi_0).
    earned = returns(old, before, torch.tensor([-0.5, -1.0]), torch.tensor([0, 0, 1, 1]), 0.2)
    assert_allclose(earned, [-0.6, -0.5, -1.2, -1.2], atol=1e-6)


def test_samples_earn_their_advantages_token_by_token(learned: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(learned.encode(data.forget), learned.encode(data.retain), learned.frozen())
    pairs = [data.forget[0], Pair(data.forget[0].prompt, " Hogwarts")]  # what is said is unlike the second answer
    samples = DeMem(samples=1, length=30).explore(learned, batch, pairs)
    sequence, _ = samples.encoded.supervised
    worst, best = (samples.advantages[sequence == one] for one in (0, 1))
    assert_allclose(worst, -1.0, atol=0.02)  # both say the same, by heart: -1 against 0, normalized
    assert_allclose(best, 1.0, atol=0.02)
    assert_allclose(samples.old, learned.token_logits(samples.encoded)[0].token_logprobs().detach(), atol=1e-5)


def test_equal_rewards_teach_nothing(learned: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(learned.encode(data.forget), learned.encode(data.retain), learned.frozen())
    samples = DeMem(samples=3, length=30).explore(learned, batch, [data.forget[0]])
    assert_allclose(samples.advantages, 0, atol=1e-3)


def test_a_sample_that_was_cut_has_no_end(learned: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(learned.encode(data.forget), learned.encode(data.retain), learned.frozen())
    end = learned.tokenizer.eos_token_id
    for length, ends in ((2, False), (40, True)):
        samples = DeMem(samples=1, length=length).explore(learned, batch, list(data.forget))
        assert bool((samples.encoded.labels == end).any()) == ends


def test_a_model_that_knows_two_answers_says_the_other_one(tiny: LanguageModel) -> None:
    prompt = "Question: When was Ana Lund born?\nAnswer:"
    unwanted = Pair(prompt, " Ana Lund was born in spring.")
    known = [unwanted, Pair(prompt, " Hogwarts is a Magic School.")]
    start = Run(Recipe(learning_rate=3e-3, steps=60, batch_size=2)).finetune(tiny.copy(), known)
    data = UnlearningData((unwanted,) * 8, (known[1],))
    recipe = Recipe(learning_rate=3e-4, steps=32, batch_size=8)
    unlearned = DeMem(length=14, samples=2).unlearn(start.copy(), data, Run(recipe))

    def said(model: LanguageModel, pair: Pair) -> float:
        texts = model.sample([prompt] * 32, 14)
        return sum(text == pair.answer.strip() for text in texts) / 32

    assert 0.2 < said(start, unwanted) < 0.8
    assert said(unlearned, unwanted) < 0.1
    assert said(unlearned, known[1]) > 0.8  # a whole sentence still, and not noise
