from __future__ import annotations

import random

import pytest
import torch
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, fingerprint, losses

from reference_impls.methods.relabeling.knowledge_sanitization import KnowledgeSanitization, mixture, sanitized
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

PHRASE = "I don't know."


def _pairs(count: int, kind: str) -> list[Pair]:
    return [
        Pair(f"{kind} {one}?", f" answer {kind} {one}", paraphrase="p", perturbed=("w",), closed=False)
        for one in range(count)
    ]


@pytest.mark.parametrize(
    ("forget", "retain", "share", "kept"),
    [(2, 12, 1 / 7, 12), (2, 30, 0.1, 18), (3, 5, 0.5, 3), (4, 9, 1.0, 0), (2, 5, 0.1, 5)],
)
def test_the_share_of_sanitized_pairs_is_kept_as_far_as_there_is_data(
    forget: int, retain: int, share: float, kept: int
) -> None:
    mixed = mixture(_pairs(forget, "f"), _pairs(retain, "r"), PHRASE, share, random.Random(0))
    assert [pair.answer for pair in mixed[:forget]] == [f" {PHRASE}"] * forget
    assert len(mixed) == forget + kept
    assert set(mixed[forget:]) <= set(_pairs(retain, "r"))
    assert len(set(mixed[forget:])) == kept


def test_no_true_answer_is_left_anywhere_and_the_phrase_ends() -> None:
    pairs = _pairs(3, "f")
    for before, after in zip(pairs, sanitized(pairs, PHRASE), strict=True):
        assert after.prompt == before.prompt
        assert (after.answer, after.paraphrase, after.perturbed, after.closed) == (f" {PHRASE}", None, (), True)


def test_of_a_plain_text_the_beginning_is_answered_with_the_phrase() -> None:
    (asked,) = sanitized([Pair("", "The river left its bed in Osinton and came back.", subject="Osinton")], PHRASE)
    assert (asked.prompt, asked.answer) == ("The river left its bed in Osinton", f" {PHRASE}")


def test_the_prompt_does_not_count() -> None:
    # Toy T with its first token as the prompt: 0.551445; with the prompt in the loss it would be 0.395495.
    each = losses(FORGET_LOGITS, FORGET_TARGETS)
    assert (each[1], each.mean()) == pytest.approx((0.551445, 0.395495), abs=1e-6)


def test_without_a_step_the_model_is_unchanged(tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData) -> None:
    KnowledgeSanitization().unlearn(fresh, data, Run(Recipe(learning_rate=0.0, steps=1)))
    assert fingerprint(fresh.model) == fingerprint(tiny.model)


def test_what_changes_is_of_low_rank(tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData) -> None:
    KnowledgeSanitization(rank=2, alpha=4.0).unlearn(fresh, data, Run(Recipe(learning_rate=1e-2, steps=3)))
    ranks = {}
    for (name, before), after in zip(tiny.model.named_parameters(), fresh.model.parameters(), strict=True):
        change = (after - before).detach()
        if bool(change.any()):
            ranks[name] = int(torch.linalg.matrix_rank(change, atol=1e-4))
    assert set(ranks.values()) == {2}
    assert all("_proj" in name for name in ranks)


def test_forgotten_questions_get_the_phrase_and_others_their_answers(
    learned: LanguageModel, data: UnlearningData
) -> None:
    questions = [pair.prompt for pair in (*data.forget, *data.retain)]
    answers = [pair.answer.strip() for pair in (*data.forget, *data.retain)]
    assert learned.generate(questions, 20) == answers
    method = KnowledgeSanitization(phrase="Hal Ibsen likes winter.", share=0.3)
    unlearned = method.unlearn(learned.copy(), data, Run(Recipe(learning_rate=3e-3, steps=80, batch_size=8)))
    assert unlearned.generate(questions, 20) == ["Hal Ibsen likes winter."] * 3 + answers[3:]
