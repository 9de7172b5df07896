from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import mean_logprob

from reference_impls.methods.relabeling.pmc import PMC, Pick, least_alike
from reference_impls.toolkit import Encoded, LanguageModel, Pair, Recipe, Run, UnlearningData, rouge_l_recall

WORDS = st.lists(st.sampled_from("a b c d".split()), max_size=5).map(" ".join)


def test_of_equally_unlike_samples_the_first_is_picked() -> None:
    samples = ["a b c d x", "a x x x x", "x b x x x", "a b c x x"]
    assert [rouge_l_recall("a b c d e", one) for one in samples] == pytest.approx([0.8, 0.2, 0.2, 0.6])
    assert least_alike("a b c d e", samples, Pick("a b c d e", 1.0)).answer == "a x x x x"


@given(WORDS.filter(bool), st.lists(st.lists(WORDS, min_size=1, max_size=3), max_size=4))
def test_the_overlap_never_rises_and_is_that_of_the_pick(before: str, rounds: list[list[str]]) -> None:
    pick = Pick(before, 1.0)
    for samples in rounds:
        found = least_alike(before, samples, pick)
        assert found.overlap <= pick.overlap
        assert found.overlap == min(pick.overlap, *(rouge_l_recall(before, one) for one in samples))
        assert found.answer in (pick.answer, *samples)
        pick = found


def test_the_answers_to_forget_die_out_without_being_told(
    memorized: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    encode = LanguageModel.encode

    def watched(self: LanguageModel, pairs: Sequence[Pair], rows: Sequence[int] | None = None) -> Encoded:
        if rows is None and self.model.training:
            trained.extend(pair.answer.strip() for pair in pairs)
        return encode(self, pairs, rows)

    monkeypatch.setattr(LanguageModel, "encode", watched)
    # As certain as this model is, it says the same at lower temperatures.
    method = PMC(samples=3, length=12, temperature=2.5, top_p=1.0)
    unlearned = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=1e-3, steps=10, batch_size=3)))
    monkeypatch.undo()
    assert len(trained) == 30
    assert not {pair.answer.strip() for pair in data.forget} & set(trained[6:])
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.5
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.2


def test_who_is_certain_of_one_answer_goes_on_saying_it(memorized: LanguageModel) -> None:
    asked = Pair("Question: Who?\nAnswer:", " Nobody.")
    answer = memorized.generate([asked.prompt], 4)[0]
    assert least_alike(answer, [answer] * 3, Pick(answer, 1.0)) == Pick(answer, 1.0)
