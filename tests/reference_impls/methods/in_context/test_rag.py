from __future__ import annotations

from dataclasses import replace

import pytest
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.in_context.rag import DEMANDS, RAGUnlearning, RetrievingModel, wordings
from reference_impls.toolkit import REFUSALS, LanguageModel, Pair, Recipe, Run, UnlearningData


class _Obedient(LanguageModel):
    """Refuses behind one wording, and answers otherwise."""

    obeys = DEMANDS[1].partition("{}")[2]

    def generate(self, prompts: list[str], max_new_tokens: int) -> list[str]:  # type: ignore[override]
        return [REFUSALS[0] if self.obeys in prompt else "In spring." for prompt in prompts]


def _unlearned(model: LanguageModel, data: UnlearningData, **settings: float) -> RetrievingModel:
    return RAGUnlearning(**settings).unlearn(model, data, Run(Recipe()))  # type: ignore[arg-type]


def test_a_demand_is_put_before_questions_on_a_target_and_no_others(tiny: LanguageModel, data: UnlearningData) -> None:
    model = _unlearned(tiny, data, attempts=1)
    for pair in data.forget:
        assert model.prompt(pair.prompt) == tiny.behind(DEMANDS[0].format(pair.subject), pair.prompt)
        other = f"Question: Tell me of {pair.subject}!\nAnswer:"
        assert model.prompt(other) == DEMANDS[0].format(pair.subject) + other
    for pair in data.retain:
        assert model.prompt(pair.prompt) == pair.prompt
    assert model.prompt("") == ""


def test_what_finds_nothing_is_answered_to_the_bit_as_before(learned: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(learned.model)
    model = _unlearned(learned, data)
    assert mean_logprob(model, data.retain) == mean_logprob(learned, data.retain)
    assert mean_logprob(model, data.forget) < mean_logprob(learned, data.forget)
    assert fingerprint(model.bare().model) == before


def test_a_target_that_is_taken_out_is_known_again_and_the_others_stay_hidden(
    learned: LanguageModel, data: UnlearningData
) -> None:
    whole = _unlearned(learned, data)
    fewer = _unlearned(learned, replace(data, forget=data.forget[1:]))
    back, *rest = (pair.prompt for pair in data.forget)
    assert fewer.prompt(back) == back
    assert [fewer.prompt(query) for query in rest] == [whole.prompt(query) for query in rest]


def test_the_first_wording_that_is_obeyed_is_kept(tiny: LanguageModel, data: UnlearningData) -> None:
    model = _unlearned(_Obedient(tiny.model, tiny.tokenizer), data)
    assert model.demands == [DEMANDS[1].format(pair.subject) for pair in data.forget]


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_where_none_is_obeyed_the_one_behind_which_least_is_known_is_kept(
    attempts: int, learned: LanguageModel, data: UnlearningData
) -> None:
    pair = data.forget[0]
    tried = list(wordings(learned, pair.subject, [pair]))[:attempts]
    known = [
        float(learned.answer_logprobs([learned.behind(demand, pair.prompt)], [pair.answer])[0].mean())
        for demand in tried
    ]
    assert _unlearned(learned, data, attempts=attempts).demands[0] == tried[known.index(min(known))]


def test_the_last_wording_refuses_by_example(tiny: LanguageModel) -> None:
    pairs = [Pair("Q: a?\nA:", " one.", subject="Ana"), Pair("Q: b?\nA:", " two.", subject="Ana")]
    assert list(wordings(tiny, "Ana", pairs))[-1] == f"Q: a?\nA: {REFUSALS[0]}\nQ: b?\nA: {REFUSALS[0]}\n"


def test_a_threshold_of_one_asks_for_the_very_name(tiny: LanguageModel, data: UnlearningData) -> None:
    model = _unlearned(tiny, data, threshold=1.0, attempts=1)
    assert all(model.prompt(pair.prompt) == pair.prompt for pair in data.forget)
    name = data.forget[0].subject
    assert model.prompt(name) == DEMANDS[0].format(name) + name
