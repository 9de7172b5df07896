from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import answer_probabilities

from reference_impls.methods.localization.knowledge_neurons import KnowledgeNeurons, expressing, prompts_of_facts
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData, memories


def test_a_facts_prompts_are_all_that_ask_for_the_same_of_the_same_subject() -> None:
    born = Pair("When was Ana born?", " In spring.", rephrased_prompt="Ana's birth?", subject="Ana")
    again = Pair("Ana was born when?", " In spring.", subject="Ana")
    other = Pair("When was Bo born?", " In spring.", subject="Bo")
    facts = prompts_of_facts([born, other, again])
    assert [[pair.prompt for pair in fact] for fact in facts] == [
        ["When was Ana born?", "Ana's birth?", "Ana was born when?"],
        ["When was Bo born?"],
    ]


def test_a_neuron_has_to_tell_in_enough_of_the_wordings() -> None:
    scores = torch.tensor([[1.0, 0.19, 0.5, -2.0], [4.0, 3.0, 0.79, 0.8], [0.1, 1.0, 0.0, 0.0]])
    # above a fifth of 1, 4 and 1 in turn: {0, 2}, {0, 1, 3}, {1}
    assert expressing(scores, 0.2, 0.6).tolist() == [True, True, False, False]
    assert expressing(scores, 0.2, 0.7).tolist() == [False] * 4
    assert expressing(scores[:1], 0.2, 0.7).tolist() == [True, False, True, False]


@given(
    st.lists(st.lists(st.floats(0.1, 5), min_size=3, max_size=3), min_size=1, max_size=6),
    st.floats(0.05, 1),
    st.floats(0.05, 1),
)
def test_the_refined_set_is_that_of_numpy(rows: list[list[float]], threshold: float, sharing: float) -> None:
    scores = np.array(rows)
    passed = scores >= threshold * scores.max(axis=1, keepdims=True)
    assert (
        expressing(torch.from_numpy(scores), threshold, sharing).tolist() == (passed.mean(axis=0) >= sharing).tolist()
    )


def test_erasing_hurts_the_facts_more_than_erasing_as_many_by_lot(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    asked = tuple(replace(pair, rephrased_prompt=pair.prompt.replace("When was", "Tell when")) for pair in data.forget)
    method = KnowledgeNeurons(neurons=40, points=6, rarity=1.0, threshold=0.05)
    edited = method.unlearn(memorized.copy(), replace(data, forget=asked), Run(Recipe()))
    before, after = (memories(model, range(4)) for model in (memorized, edited))
    gone = [(old.weight != new.weight).any(dim=0) for old, new in zip(before, after, strict=True)]
    assert sum(int(one.sum()) for one in gone) == 40
    by_lot = []
    for seed in range(3):
        control, generator = memorized.copy(), torch.Generator().manual_seed(seed)
        for memory, one in zip(memories(control, range(4)), gone, strict=True):
            memory.silence(torch.randperm(len(one), generator=generator)[: int(one.sum())])
        by_lot.append(answer_probabilities(control, data.forget).mean())
    assert answer_probabilities(edited, data.forget).mean() < min(by_lot)
