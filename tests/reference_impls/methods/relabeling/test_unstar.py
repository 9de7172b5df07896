from __future__ import annotations

import random
from dataclasses import replace

import pytest
from unlearning_toys import Saying, answer_probabilities, fingerprint

from reference_impls.methods.relabeling.unstar import REASONS, UnStar, own_words, still_known, telling_words, worded
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData, distinct_words

BORN = Pair(
    "Where was Ana born?",
    " Ana was born in Lima.",
    alternates=(" Ana was born in Oslo.", " Ana comes from Porto."),
    subject="Ana",
)


def test_telling_words_are_those_of_no_wrong_answer_and_not_of_the_question() -> None:
    assert telling_words(BORN) == {"lima"}
    assert telling_words(replace(BORN, alternates=(" Lima, Peru.",))) == {"in"}
    assert telling_words(replace(BORN, alternates=(" Not in Lima.",))) == {"in", "lima"}  # they tell nothing apart


@pytest.mark.parametrize(
    ("text", "known"),
    [("Ana was born in Lima.", 1), ("LIMA, they say", 1), ("Ana was born in Oslo.", 0), ("Limassol", 0), ("", 0)],
)
def test_known_is_what_a_word_gives_away(text: str, known: int, tiny: LanguageModel) -> None:
    class Said(Saying):
        def generate(self, prompts: list[str], max_new_tokens: int) -> list[str]:  # type: ignore[override]
            return self.lines

    assert len(still_known(Said(tiny, [text]), [BORN])) == known
    assert still_known(tiny, []) == []


def test_questions_come_in_several_wordings_with_wrong_answers(data: UnlearningData) -> None:
    pairs = worded(data, 3, 2, random.Random(0))
    assert len(pairs) == 9
    assert [pair.prompt for pair in pairs[::3]] == [pair.prompt for pair in data.forget]
    assert all(not own_words(pair) <= distinct_words(lie) for pair in pairs for lie in pair.alternates)
    assert all(1 <= len(pair.alternates) <= 2 for pair in pairs)
    for own, other in zip(pairs[::3], pairs[1::3], strict=True):
        assert own.prompt != other.prompt
        assert sorted(own.prompt) == sorted(other.prompt)
        assert own.subject in other.prompt


def test_where_nothing_is_known_nothing_is_taught(fresh: LanguageModel, data: UnlearningData) -> None:
    before, run = fingerprint(fresh.model), Run(Recipe(learning_rate=1e-2, steps=10))
    UnStar().unlearn(fresh, data, run)  # untrained
    assert fingerprint(fresh.model) == before
    assert run.stopped == 0


def test_only_what_is_still_known_is_taught_with_a_reason_beside_right_answers(
    learned: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[list[Pair]] = []

    def taught(self: Run, model: LanguageModel, pairs: list[Pair], *rest: object, **options: object) -> LanguageModel:
        rounds.append(pairs)
        return model

    monkeypatch.setattr(Run, "finetune_lora", taught)
    UnStar(rounds=2, wordings=1, neighbours=1).unlearn(learned.copy(), data, Run(Recipe(steps=4)))
    known = still_known(learned, worded(data, 1, 4, random.Random(0)))
    assert len(known) == 3
    for pairs in rounds:
        lies, kept = pairs[:3], pairs[3:]
        assert [pair.prompt for pair in lies] == [pair.prompt for pair in data.forget]
        for pair, own in zip(lies, data.forget, strict=True):
            assert own.answer not in pair.answer
            assert pair.answer.endswith(REASONS)
        assert len(kept) == 3
        assert set(kept) <= set(data.retain)
    assert len(rounds) == 2


def test_it_stops_as_soon_as_nothing_is_known_and_others_are_kept(learned: LanguageModel, data: UnlearningData) -> None:
    run, two = Run(Recipe(learning_rate=1e-2, steps=40, batch_size=8)), data.forget[:2]
    asked = replace(data, forget=two)
    model = UnStar(rounds=4, wordings=1, neighbours=2, reasons=0).unlearn(learned.copy(), asked, run)
    assert run.stopped in {10, 20, 30}
    assert answer_probabilities(model, two).mean() < 0.8
    assert answer_probabilities(model, data.retain).mean() > answer_probabilities(model, two).mean()
