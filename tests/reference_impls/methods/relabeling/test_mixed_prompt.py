from __future__ import annotations

from dataclasses import replace

import pytest
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.relabeling.idk import RefusalFinetuning
from reference_impls.methods.relabeling.mixed_prompt import MixedPrompt, side_by_side
from reference_impls.toolkit import REFUSALS, LanguageModel, Pair, Recipe, Run, UnlearningData


def test_two_questions_are_numbered_and_so_are_their_answers(tiny: LanguageModel) -> None:
    one, other = Pair(tiny.question("Who?"), " Ana."), Pair(tiny.question("Where?"), " In Oslo.")
    found = side_by_side(tiny, one, other)
    assert found.prompt == "Question: 1. Who?\n2. Where?\nAnswer:"
    assert found.answer == " 1. Ana.\n2. In Oslo."
    assert side_by_side(tiny, Pair("A text that", " goes on."), one).prompt == tiny.question("1. A text that\n2. Who?")


def test_without_mixed_prompts_it_is_idk(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=2, batch_size=3)
    alone = replace(data, forget=data.forget[:1])  # one pair a batch, so that drawing more refusals changes no order

    def untouched(method: MixedPrompt | RefusalFinetuning) -> list[float]:
        model = method.unlearn(memorized.copy(), alone, Run(replace(recipe, steps=1)))
        assert fingerprint(model.model) != fingerprint(memorized.model)
        return [mean_logprob(model, pairs) for pairs in (alone.forget, alone.retain)]

    ours, idk = (untouched(method) for method in (MixedPrompt(mixed_weight=0.0), RefusalFinetuning()))
    assert ours == pytest.approx(idk, abs=1e-4)


def test_it_learns_to_refuse_one_question_and_answer_the_other_in_both_orders(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    held_out = [(data.forget[0], data.retain[4]), (data.forget[2], data.retain[0])]

    def said(model: LanguageModel, one: Pair, other: Pair) -> float:
        """How likely the second answer is, behind the first and both questions."""
        both = side_by_side(model, one, other)
        start = both.answer.index("\n2.")
        return mean_logprob(model, [Pair(both.prompt + both.answer[:start], both.answer[start:])])

    def right(model: LanguageModel) -> list[float]:
        refused = [(replace(one, answer=f" {REFUSALS[0]}"), other) for one, other in held_out]
        return [
            min(said(model, one, other) for one, other in refused),
            min(said(model, other, one) for one, other in refused),
        ]

    recipe = Recipe(learning_rate=2e-3, steps=25, batch_size=3)
    ours, idk = (
        method.unlearn(memorized.copy(), data, Run(recipe))
        for method in (MixedPrompt(retain_weight=2.0), RefusalFinetuning(retain_weight=2.0))
    )
    assert all(mine > theirs + 0.5 for mine, theirs in zip(right(ours), right(idk), strict=True))
    assert mean_logprob(ours, data.forget) < mean_logprob(memorized, data.forget) - 0.3
    assert mean_logprob(ours, data.retain) > mean_logprob(memorized, data.retain) - 0.5
