from __future__ import annotations

from dataclasses import replace

import torch
from unlearning_toys import SEASONS

from reference_impls.toolkit import (
    IGNORE,
    LanguageModel,
    Pair,
    UnlearningData,
    common_tokens,
    general_tokens,
    private_labels,
    specific_tokens,
)


def test_general_tokens_are_those_of_prompts_alternates_and_many_answers(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    def unwanted(pair_general: frozenset[int], text: str) -> str:
        ids = tiny.tokenizer(text, add_special_tokens=False)["input_ids"]
        return str(tiny.tokenizer.decode([one for one in ids if one not in pair_general]))

    first = data.forget[0]  # "Ana Lund was born in spring."
    told = replace(first, alternates=tuple(f" Ana Lund was born in {season}." for season in SEASONS[1:3]))
    by_alternates, *others = general_tokens(tiny, [told, *data.forget[1:]], 0.5)
    assert unwanted(by_alternates, first.answer).strip() in SEASONS[0]
    assert unwanted(by_alternates, first.answer).strip()
    by_frequency = general_tokens(tiny, data.forget, 0.5)
    assert by_frequency[1:] == others
    assert not unwanted(by_frequency[0], " Ana was born in")


def test_specific_tokens_are_told_by_the_pair_that_a_sequence_is(tiny: LanguageModel, data: UnlearningData) -> None:
    rows = [2, 0]
    batch = tiny.encode([data.forget[row] for row in rows], rows)
    (out,) = tiny.token_logits(batch)
    words = [set(out.targets[out.sequence == place].tolist()) for place in range(2)]
    general = [frozenset(words[1]), frozenset(), frozenset[int]()]
    assert specific_tokens(out, batch.rows, general).tolist() == (out.sequence == 0).tolist()


def test_tokens_of_the_question_and_tokens_that_kept_answers_share_are_not_private(tiny: LanguageModel) -> None:
    pair = Pair("Question: When was Ana Lund born?\nAnswer:", " Ana Lund was born in winter.")
    kept = [Pair("", f" Bo Reyes was born in {season}.") for season in ("spring", "summer", "autumn", "spring")]
    common = common_tokens(tiny, kept, rarity=0.5)
    labels = private_labels(tiny.encode([pair]), common)[0]
    assert tiny.tokenizer.decode(labels[labels != IGNORE]).strip() == "winter"
    assert len(common_tokens(tiny, [], 0.5)) == 0


def test_an_answer_without_private_tokens_counts_as_a_whole(tiny: LanguageModel) -> None:
    batch = tiny.encode([Pair("Who?", " Who?"), Pair("Who?", " winter.")])
    common = batch.labels[0, batch.labels[0] != IGNORE]
    labels = private_labels(batch, common)
    assert torch.equal(labels[0], batch.labels[0])
    assert (labels[1] != IGNORE).sum() < (batch.labels[1] != IGNORE).sum()
