from __future__ import annotations

from dataclasses import replace

from unlearning_toys import SEASONS

from reference_impls.toolkit import LanguageModel, UnlearningData, general_tokens, specific_tokens


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
