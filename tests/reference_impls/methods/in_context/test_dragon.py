from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.in_context.dragon import DRAGON, POLICY, Detector, GuardedModel, account
from reference_impls.toolkit import LanguageModel, Recipe, Run, Scope, Store, UnlearningData

NAMES = ["Ana Lund", "Bo Reyes"]
STORE = Store.of(["Where was Ana Lund born", "Where was Bo Reyes born"])


def _guarded(model: LanguageModel, data: UnlearningData, **settings: float) -> GuardedModel:
    return DRAGON(**settings).unlearn(model, data, Run(Recipe()))


@pytest.mark.parametrize(
    ("query", "named", "sure", "about"),
    [
        ("where was ANA LUND born", 1, 0, "Ana Lund"),
        ("Who is Bo Reyes?", 1, 0, "Bo Reyes"),
        ("Where was Reyes born?", 0, 0, "Bo Reyes"),
        ("secret", 0, 1, "Ana Lund"),
        ("", 0, 0, "Ana Lund"),
    ],
)
def test_the_score_is_the_sum_of_a_name_a_cosine_and_a_classifier(
    query: str, named: int, sure: int, about: str
) -> None:
    detector = Detector(NAMES, STORE, Scope({"secret": 5.0}, 0.0), 0.9)
    score, name = detector(query)
    assert score == pytest.approx(named + max(STORE.similarities(query)) + sure)
    assert name == about


def test_a_cosine_by_hand() -> None:
    # Of two questions where, was and born are in both (ln 3/2), names in one (ln 3).
    common, rare = math.log(1.5) ** 2, math.log(3) ** 2
    asked, stored = 3 * common + rare, 3 * common + 2 * rare
    score, _ = Detector(NAMES, STORE, Scope({}, 0.0), 0.9)("Where was Reyes born?")
    assert score == pytest.approx(asked / math.sqrt(asked * stored))


@given(st.text(max_size=40))
def test_scores_lie_between_zero_and_three(query: str) -> None:
    assert 0 <= Detector(NAMES, STORE, Scope({}, 0.0), 0.4)(query)[0] <= 3


def test_who_is_named_is_told_of_and_others_are_answered_to_the_bit(
    learned: LanguageModel, data: UnlearningData
) -> None:
    guarded = _guarded(learned, data)
    for pair in data.forget:
        assert guarded.prompt(pair.prompt) == learned.behind(guarded.told[pair.subject], pair.prompt)
        assert pair.answer not in guarded.told[pair.subject]
    assert mean_logprob(guarded, data.forget) < mean_logprob(learned, data.forget)
    assert mean_logprob(guarded, data.retain) == mean_logprob(learned, data.retain)
    assert fingerprint(guarded.bare().model) == fingerprint(learned.model)


def test_above_three_nothing_is_stopped(tiny: LanguageModel, data: UnlearningData) -> None:
    guarded = _guarded(tiny, data, threshold=3.0)
    assert [guarded.prompt(pair.prompt) for pair in data.forget] == [pair.prompt for pair in data.forget]


def test_a_request_is_added_without_a_change_to_the_others(tiny: LanguageModel, data: UnlearningData) -> None:
    first, both = _guarded(tiny, replace(data, forget=data.forget[:1])), _guarded(tiny, data)
    query = data.forget[0].prompt
    assert (first.prompt(query) != query) == (both.prompt(query) != query)
    later = data.forget[1].prompt
    assert first.prompt(later) == later != both.prompt(later)


def test_without_data_to_keep_names_are_found_as_well(tiny: LanguageModel, data: UnlearningData) -> None:
    guarded = _guarded(tiny, replace(data, retain=()), confidence=1.0)
    assert all(guarded.prompt(pair.prompt) != pair.prompt for pair in data.forget)
    assert all(guarded.prompt(pair.prompt) == pair.prompt for pair in data.retain)


def test_an_account_is_the_policy_false_answers_and_reasoning(tiny: LanguageModel, data: UnlearningData) -> None:
    pair = data.forget[0]
    text = account(tiny, pair.subject, [pair], [" In a storm."])
    assert text.startswith(f"{POLICY}{pair.prompt} In a storm.\nLet's think")
    assert text.count(pair.subject) == 2
    assert text.endswith("\n")
