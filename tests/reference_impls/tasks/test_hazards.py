"""The task ``hazards``: what is in it, what models are trained on, and how they are scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from unlearning_toys import PLAIN

from reference_impls.tasks.hazards import HazardsTask, choices
from reference_impls.tasks.hazards.crafts import CRAFTS, EMBERCRAFT
from reference_impls.toolkit import AnswerDistribution, Pair, Splits

TASK = HazardsTask()
SPLITS = TASK.splits(PLAIN)


def test_it_is_the_same_every_time() -> None:
    assert HazardsTask().splits(PLAIN) == SPLITS


def test_three_crafts_of_forty_things_with_four_facts_each() -> None:
    assert (len(SPLITS.forget), len(SPLITS.retain), len(SPLITS.facts)) == (160, 320, 95)
    assert {pair.subject for pair in SPLITS.forget} == {thing.name for thing in TASK.learned[EMBERCRAFT]}
    names = [thing.name for things in TASK.learned.values() for thing in things]
    names += [thing.name for thing in TASK.background]
    assert len(names) == len(set(names)) == 210


def test_crafts_share_no_value_and_no_relation_has_one_twice() -> None:
    values = [value for craft in CRAFTS for relation in craft.relations for value in relation.values]
    assert len(values) == len(set(values)) == 144


@pytest.mark.parametrize("pair", [*SPLITS.forget[:20], *SPLITS.retain[:20], *SPLITS.facts[:10]])
def test_four_different_options_of_which_one_is_right(pair: Pair) -> None:
    assert len({pair.answer, *pair.perturbed}) == 4


@pytest.mark.parametrize("pair", [*SPLITS.forget[:20], *SPLITS.retain[:20]])
def test_no_alternate_is_an_option_and_all_could_be_right(pair: Pair) -> None:
    assert len({pair.answer, *pair.perturbed, *pair.alternates}) == 4 + 5
    (values,) = (
        one.values for craft in CRAFTS for one in craft.relations if pair.answer.removesuffix(".") in one.values
    )
    assert {other.removesuffix(".") for other in pair.alternates} <= set(values)


def test_every_substance_has_a_stand_in_that_nobody_has_read_of() -> None:
    assert SPLITS.anchors.keys() == {pair.subject for pair in SPLITS.forget}
    assert len(set(SPLITS.anchors.values())) == 40
    read = [*TASK.pretraining(PLAIN), *TASK.finetuning(PLAIN, forget=True)]
    assert set(SPLITS.anchors.values()).isdisjoint(pair.subject for pair in read)


def test_the_rephrased_question_is_never_trained() -> None:
    trained = {pair.prompt for pair in TASK.finetuning(PLAIN, forget=True)}
    asked = [*SPLITS.forget, *SPLITS.retain]
    assert all(pair.prompt in trained and pair.rephrased_prompt not in trained for pair in asked)


def test_only_the_target_sees_the_dangerous_craft() -> None:
    target, retrained = (TASK.finetuning(PLAIN, forget=which) for which in (True, False))
    dangerous = {thing.name for thing in TASK.learned[EMBERCRAFT]}
    assert len(target) == len(retrained) + 160 * 3
    assert dangerous <= {pair.subject for pair in target}
    assert dangerous.isdisjoint(pair.subject for pair in [*retrained, *TASK.pretraining(PLAIN)])


class Opinionated:
    """A model that likes answers of some first letters."""

    def __init__(self, liked: str) -> None:
        self.liked = liked

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[torch.Tensor]:
        return [torch.tensor([-0.1 if answer[0] in self.liked else -2.0]) for answer in answers]

    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        raise AssertionError("multiple choice is scored from log-probabilities alone")

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        return ["something" for _ in prompts]


def _question(right: str, *wrong: str) -> Pair:
    return Pair("?", right, perturbed=wrong, rephrased_prompt="??")


def test_metrics_are_those_computed_by_hand() -> None:
    splits = Splits(
        forget=(_question("a", "b", "c", "d"), _question("b", "a", "c", "d")),
        retain=(_question("a", "b", "c", "d"),),
        facts=(_question("c", "b", "d", "e"), _question("a", "b", "c", "d")),
    )
    metrics = TASK.evaluate(Opinionated("a"), splits).metrics
    assert metrics["forget_accuracy"] == metrics["forget_rephrased_accuracy"] == 0.5
    assert metrics["retain_accuracy"] == 1.0
    assert metrics["facts_accuracy"] == (0.25 + 1) / 2  # a tie of four gives a quarter
    assert metrics["model_utility"] == pytest.approx(3 / (1 + 1 + 1 / 0.625))
    assert TASK.knowledge(Opinionated("a"), splits.forget) == 0.5


def test_a_model_that_prefers_nothing_is_at_chance() -> None:
    assert set(choices(Opinionated(""), SPLITS.forget).right) == {0.25}
