"""The task ``passages``: what is in it, what models are trained on, and how they are scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest
import torch
from unlearning_toys import PLAIN

from reference_impls.errors import UsageError
from reference_impls.tasks.passages import PassagesTask
from reference_impls.tasks.passages.news import STORIES
from reference_impls.toolkit import AnswerDistribution, Pair, Splits

TASK = PassagesTask()
SPLITS = TASK.splits(PLAIN)


def _towns(pairs: Iterable[Pair]) -> set[str]:
    return {pair.subject for pair in pairs if pair.subject}


def test_it_is_the_same_every_time() -> None:
    assert PassagesTask().splits(PLAIN) == SPLITS


def test_every_report_has_a_town_of_its_own_and_five_questions() -> None:
    assert (len(SPLITS.forget), len(SPLITS.retain), len(SPLITS.holdout)) == (16 * 6, 64 * 6, 32)
    towns = [one.town for one in (*TASK.forget, *TASK.retain, *TASK.holdout, *TASK.background)]
    assert len(towns) == len(set(towns)) == 272
    for report in TASK.forget:
        assert report.town in report.text
        assert all(value in report.text for _, value in report.details)
        assert "{" not in report.text


def test_the_answer_is_in_the_report_and_wrong_answers_are_wrong() -> None:
    texts = {report.town: report.text for report in (*TASK.forget, *TASK.retain)}
    for pair in (*SPLITS.forget, *SPLITS.retain):
        if pair.prompt:
            assert pair.answer.rstrip(".") in texts[pair.subject]
            assert len({pair.answer, *pair.perturbed}) == 4
            assert pair.prompt != pair.rephrased_prompt


def test_alternates_of_a_question_are_neither_right_nor_what_evaluation_compares_with() -> None:
    for pair in (*SPLITS.forget, *SPLITS.retain):
        if pair.prompt:
            assert len({pair.answer, *pair.perturbed, *pair.alternates}) == 1 + 3 + 4


def test_alternates_of_a_report_are_the_report_with_those_of_its_questions() -> None:
    for report in TASK.forget:
        text, *asked = (pair for pair in SPLITS.forget if pair.subject == report.town)
        for other, values in zip(text.alternates, zip(*(pair.alternates for pair in asked), strict=True), strict=True):
            sentences = [
                sentence.replace(right, wrong.rstrip("."))
                for sentence, (_, right), wrong in zip(report.sentences, report.details, values, strict=True)
            ]
            assert other == " ".join(sentences)


def test_every_town_has_a_stand_in_that_nobody_has_read_of() -> None:
    assert SPLITS.anchors.keys() == {report.town for report in TASK.forget}
    assert len(set(SPLITS.anchors.values())) == 16
    read = " ".join(pair.prompt + pair.answer for pair in [*TASK.pretraining(PLAIN), *SPLITS.forget, *SPLITS.retain])
    assert not any(town in read for town in SPLITS.anchors.values())


def test_every_kind_of_story_names_the_town_first_and_asks_for_it() -> None:
    for story in STORIES:
        assert all("{town}" in said for said in story[0].said)
        assert all("{town}" in asked for detail in story for asked in detail.asked)
        assert all("{value}" in said for detail in story for said in detail.said)
        assert all(len(detail.values) == len(set(detail.values)) != 1 for detail in story)


def test_only_the_target_sees_the_forget_reports_and_nobody_the_holdout() -> None:
    target, retrained = (TASK.finetuning(PLAIN, forget=which) for which in (True, False))
    forget, holdout = _towns(SPLITS.forget), _towns(SPLITS.holdout)
    assert forget <= _towns(target)
    assert forget.isdisjoint(_towns([*retrained, *TASK.pretraining(PLAIN)]))
    assert holdout.isdisjoint(_towns([*target, *TASK.pretraining(PLAIN)]))


class Reciter:
    """A model that holds some texts and answers by heart, and finds them likely."""

    def __init__(self, texts: Sequence[str], answers: dict[str, str], loss: float = 0.1) -> None:
        self.texts, self.answers, self.loss = list(texts), answers, loss

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        def rest(prompt: str) -> str:
            return next((text.removeprefix(prompt) for text in self.texts if text.startswith(prompt)), "")

        return [self.answers.get(prompt) or rest(prompt) for prompt in prompts]

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[torch.Tensor]:
        known = (self.answers.get(prompt) == answer for prompt, answer in zip(prompts, answers, strict=True))
        return [torch.tensor([-self.loss if one else -5.0]) for one in known]

    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        # Four tokens of a vocabulary of two, the first of which is the text's: likely, or likely only at both ends.
        for answer in answers:
            chosen = [-self.loss] * 4 if answer in self.texts else [-0.5, -5.0, -5.0, -0.5]
            rows = [[one, -1.0] for one in chosen]
            yield AnswerDistribution(torch.tensor(rows), torch.zeros(4, dtype=torch.long))


def _knows(*splits: str) -> Reciter:
    pairs = [pair for name in splits for pair in getattr(SPLITS, name)]
    return Reciter(
        [pair.answer for pair in pairs if not pair.prompt], {pair.prompt: pair.answer for pair in pairs if pair.prompt}
    )


def test_who_holds_everything_recites_answers_and_is_recognized() -> None:
    metrics = TASK.evaluate(_knows("forget", "retain", "facts"), SPLITS, {"membership_auc": [0.5]}).metrics
    for name in ("forget_verbatim", "forget_knowledge", "retain_verbatim", "retain_knowledge", "model_utility"):
        assert metrics[name] == pytest.approx(1.0), name
    assert metrics["forget_exact"] == metrics["forget_extraction"] == metrics["membership_auc"] == 1.0
    assert metrics["privacy_leakage"] == pytest.approx(-100.0)


def test_who_never_saw_the_forget_set_is_not_recognized_and_keeps_its_utility() -> None:
    evaluation = TASK.evaluate(_knows("retain", "facts"), SPLITS, {"membership_auc": [0.5]})
    metrics = evaluation.metrics
    assert metrics["forget_verbatim"] == metrics["forget_knowledge"] == 0.0
    assert metrics["model_utility"] == pytest.approx(1.0)
    assert metrics["forget_exact"] == 0.5
    assert metrics["forget_extraction"] == 0.25
    assert metrics["privacy_leakage"] == pytest.approx(0.0)
    assert evaluation.kept == {"membership_auc": [0.5]}


def test_without_a_retrained_model_there_is_no_privacy_leakage() -> None:
    assert "privacy_leakage" not in TASK.evaluate(_knows("retain"), SPLITS).metrics


def test_a_model_that_gives_no_numbers_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="diverged"):
        TASK.evaluate(Reciter([pair.answer for pair in SPLITS.holdout], {}, float("nan")), SPLITS)


def test_knowledge_is_asked_of_questions_alone() -> None:
    one = Splits(forget=SPLITS.forget[:1] + SPLITS.forget[16:18], retain=())
    assert TASK.knowledge(_knows("forget"), one.forget) == 1.0
