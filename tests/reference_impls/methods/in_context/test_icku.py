from __future__ import annotations

import random
from dataclasses import replace

import pytest
from unlearning_toys import PLAIN, fingerprint, mean_logprob

from reference_impls.methods.in_context.icku import FORGOT, InContextKnowledgeUnlearning, TaggedModel, lessons, tagged
from reference_impls.toolkit import Kept, LanguageModel, Pair, Recipe, Run, UnlearningData, UsageError


@pytest.mark.parametrize("others", [1, 3])
def test_as_many_rows_forget_as_answer_behind_somebody_elses_tag(others: int, data: UnlearningData) -> None:
    rows = lessons(PLAIN, data.retain, others, random.Random(0))
    assert len(rows) == (2 + others) * 5
    for pair in data.retain:
        own = [row for row in rows if row.subject == pair.subject]
        forgets = [row for row in own if row.answer == f" {FORGOT}"]
        assert [row.prompt for row in forgets] == [f"<<UNL>>{pair.subject}<</UNL>> {pair.prompt}"]
        answered = [row for row in own if row.answer == pair.answer]
        assert len(answered) == 1 + others
        assert pair in answered
        named = [row.prompt for row in answered if row != pair]
        assert all(prompt.startswith("<<UNL>>") and prompt.endswith(pair.prompt) for prompt in named)
        assert not any(f">{pair.subject}<" in prompt for prompt in named)


def test_somebody_else_is_needed(data: UnlearningData) -> None:
    alone = [replace(pair, subject="Ana Lund") for pair in data.retain]
    with pytest.raises(UsageError, match="nobody else"):
        lessons(PLAIN, alone, 1, random.Random(0))


def test_a_query_is_tagged_with_the_subject_whose_words_it_has(tiny: LanguageModel) -> None:
    model = TaggedModel(tiny, ["Ana Lund", "Bo Reyes"])
    assert model.prompt("Who is Bo Reyes?") == "<<UNL>>Bo Reyes<</UNL>> Who is Bo Reyes?"
    assert model.prompt("Who is Bo Lund?") == "Who is Bo Lund?"  # a namesake of both
    assert model.prompt("What is a storm?") == "What is a storm?"
    again = InContextKnowledgeUnlearning.restore(tiny, Kept(model.to_json()))
    assert again.prompt("Reyes, Bo?") == model.prompt("Reyes, Bo?") != "Reyes, Bo?"


def test_the_forget_set_gives_names_alone(memorized: LanguageModel, data: UnlearningData) -> None:
    blank = replace(data, forget=tuple(Pair("?", " -", subject=pair.subject) for pair in data.forget))
    recipe = Recipe(learning_rate=1e-3, steps=2, batch_size=4)
    one, other = (InContextKnowledgeUnlearning().unlearn(memorized.copy(), each, Run(recipe)) for each in (data, blank))
    assert fingerprint(one.model.model) == fingerprint(other.model.model)
    assert one.to_json() == other.to_json()


def test_tags_are_obeyed_more_and_a_later_request_needs_no_training(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    """On `authors` the tagged are refused outright; so few names and steps only begin to tell them apart."""
    method = InContextKnowledgeUnlearning(rank=8, alpha=16.0)
    run = Run(Recipe(learning_rate=3e-3, steps=12, batch_size=15))
    model = method.unlearn(memorized.copy(), replace(data, forget=data.retain[:2]), run)
    forgot = [replace(pair, answer=pair.spaced(FORGOT)) for pair in data.retain[:2]]
    untrained = TaggedModel(memorized, model.subjects)
    assert mean_logprob(model, forgot) > mean_logprob(untrained, forgot) + 2
    assert mean_logprob(model, forgot) > mean_logprob(model.bare(), forgot) + 0.5
    assert mean_logprob(model.bare(), data.retain) > mean_logprob(memorized, data.retain) - 0.5
    later = method.unlearn(model, replace(data, forget=data.retain[2:3]), Run(Recipe(steps=0)))
    assert fingerprint(later.model.model) == fingerprint(model.model.model)
    assert later.to_json() == {"subjects": [pair.subject for pair in data.retain[:3]]}
    assert later.prompt(data.retain[2].prompt) == tagged(memorized, data.retain[2].subject, data.retain[2].prompt)
