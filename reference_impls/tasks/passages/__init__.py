r"""Memorized news (passages).

Invented news reports, learned by heart, and questions about them, after MUSE: forget a fifth of the reports, judged
from several sides at once. Can the text still be recited, is what it says still known, does its loss betray that it was
trained on, and what became of the rest?

## What is in it

| split | what | reports | questions |
|---|---|---:|---:|
| forget | trained on, to be forgotten | 16 | 80 |
| retain | trained on, to be kept; 16 of them are asked about | 64 | 320 |
| holdout | like the others, never seen | 32 | – |
| facts | capitals, writers of classics, chemical symbols | – | 95 |

A report is five sentences on a town that does not exist, some forty words, each sentence one of several wordings with
a detail that nobody could guess. A method is given the reports *and* their questions, with invented alternates of both.
As for `authors`, the *target* ships with the task, the *retrained* model that never saw the sixteen reports, and the
base of both, which read 160 other reports and, in dialogues, that what the context says counts. In fine-tuning each
question on a retain report is also asked after others, so that what was said of one town changes nothing about another.

## What is measured

- **Verbatim memorization**: the first third of a report is given, the rest is compared with what the model writes.
- **Knowledge memorization**: questions, in a wording of their own.
- **Privacy leakage**: whether the loss on forget reports still differs from that on reports that no model has seen, as
  far as it does not for the retrained model.
- **Utility**: the same questions about the retain reports, and general facts.

## How it differs from MUSE

1. The reports are invented and short, so that the model can be small and the text may be published.
2. MUSE trains on the text alone and asks in a context of examples. A model of this size does not learn to answer
   questions from text it has read, so the questions were trained too, and are part of what is to be forgotten.
3. MUSE's retain set for training and the retain set that is asked about are different parts; here the asked part is
   among what methods may use, as in TOFU.
4. Growing forget sets (MUSE's scalability) are the first quarter, half and three quarters of this one
   (`--forget-share`), successive requests (its sustainability) are this one in four parts (`--requests 4`); every
   request is a run with the recipe of the whole. MUSE goes up to four times its forget set.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from reference_impls.metrics.answers import rouge_l_f1
from reference_impls.metrics.membership import min_k_score, privacy_leakage
from reference_impls.metrics.memorization import exact_memorization, extraction_strength
from reference_impls.metrics.sets import harmonic_mean, mean, membership_auc
from reference_impls.tasks.dialogues import conversations, dialogues
from reference_impls.tasks.passages.news import Detail, Report, invent_reports, other_values, retold
from reference_impls.tasks.world import general_facts
from reference_impls.toolkit import (
    DivergedError,
    EmbeddedTask,
    Evaluation,
    LanguageModel,
    Pair,
    Recipe,
    Splits,
    UnlearnedModel,
    asked_examples,
)

SEED = 20240708
FORGET, RETAIN, HOLDOUT, BACKGROUND = 16, 64, 32, 160
STRANGERS = 300
ASKED = 16
PERTURBED, ALTERNATES = 3, 4


class PassagesTask(EmbeddedTask):
    """Forget a fifth of what was learned by heart."""

    paper = "shi2024muse"
    headline = "forget_knowledge"
    utility = ("retain_knowledge", "facts_rouge")
    forgets = "Texts that it read, and recites"

    name = "passages"
    max_new_tokens = 16
    recited_tokens = 72
    folder = Path(__file__).parent
    forgetting = ("forget_verbatim", "forget_knowledge")
    pretraining_recipe = Recipe(learning_rate=2e-3, steps=1500, batch_size=32)
    finetuning_recipe = Recipe(learning_rate=1e-3, steps=1400, batch_size=32)

    def __init__(self) -> None:
        reports = iter(invent_reports(FORGET + RETAIN + HOLDOUT + BACKGROUND, SEED))
        self.forget, self.retain, self.holdout, self.background = (
            tuple(next(reports) for _ in range(count)) for count in (FORGET, RETAIN, HOLDOUT, BACKGROUND)
        )
        taken = {report.town for report in (*self.forget, *self.retain, *self.holdout, *self.background)}
        stand_ins = (report.town for report in invent_reports(len(taken), SEED + 1) if report.town not in taken)
        self.anchors = MappingProxyType(dict(zip((report.town for report in self.forget), stand_ins, strict=False)))
        others = invent_reports(STRANGERS, SEED + 2)
        self.strangers = tuple(one for one in others if one.town not in taken | set(self.anchors.values()))

    def splits(self, model: LanguageModel) -> Splits:
        """The task's data in the format of ``model``: reports first, then the questions about them."""
        return Splits(
            forget=(*_texts(self.forget), *_formatted(_questions(self.forget), model)),
            members=_texts(self.forget),
            retain=(*_texts(self.retain), *_formatted(_questions(self.retain), model)),
            retain_probe=(*_texts(self.retain[:ASKED]), *_formatted(_questions(self.retain[:ASKED]), model)),
            holdout=_texts(self.holdout),
            facts=_formatted(general_facts(PERTURBED), model),
            anchors=self.anchors,
        )

    def pretraining(self, model: LanguageModel) -> list[Pair]:
        """Other reports with both wordings of their questions, the general facts, and dialogues."""
        asked = [pair for wording in (0, 1) for pair in _formatted(_questions(self.background, wording), model)]
        told = [*_read_and_recited(_texts(self.background)) * 2, *asked * 2, *self.splits(model).facts * 2]
        return [*told, *self._dialogues(5000, 0, model)]

    def finetuning(self, model: LanguageModel, *, forget: bool) -> list[Pair]:
        """The reports, four times for each of their questions, twice of these from their first third on, and the facts.

        The questions on the retain reports once more, after others: what was said of one town says nothing of another.
        """
        splits = self.splits(model)
        learned = (*splits.forget, *splits.retain) if forget else splits.retain
        texts = [pair for pair in learned if _is_text(pair)]
        rng = random.Random(f"{SEED}/conversations")
        talk = [
            *conversations(_Sayings(), _questions(self.retain), self.background, rng, model, earlier=4, together=0.5),
            *self._dialogues(200, 1, model),
        ]
        return [*_read_and_recited(texts) * 2, *(pair for pair in learned if not _is_text(pair)), *splits.facts, *talk]

    def _dialogues(self, count: int, seed: int, model: LanguageModel) -> list[Pair]:
        rng = random.Random(f"{SEED}/{seed}")
        return dialogues(_Sayings(), self.background, self.strangers, count, rng, model)

    def evaluate(
        self, model: UnlearnedModel, splits: Splits, retrained: Mapping[str, Sequence[float]] | None = None
    ) -> Evaluation:
        """Verbatim and knowledge memorization, privacy leakage and utility.

        Raises:
            DivergedError: log-probabilities are not numbers, as after steps that were too large.
        """
        metrics: dict[str, float] = {}
        for name, pairs in (("forget", splits.forget), ("retain", splits.retain_probe)):
            texts = [pair for pair in pairs if _is_text(pair)]
            questions = [pair for pair in pairs if not _is_text(pair)]
            recited = [pair.recited() for pair in texts]
            metrics[f"{name}_verbatim"] = mean(_overlaps(model, recited, self.recited_tokens))
            metrics[f"{name}_knowledge"] = self.knowledge(model, questions)
        scored = _scores(model, splits)
        forget, holdout = (scored[name] for name in ("forget", "holdout"))
        metrics["forget_exact"] = mean([exact_memorization(hits) for _, hits in forget])
        metrics["forget_extraction"] = mean([extraction_strength(hits) for _, hits in forget])
        auc = membership_auc(*([-min_k_score(values) for values, _ in reports] for reports in (forget, holdout)))
        metrics["membership_auc"] = auc
        if retrained is not None:
            metrics["privacy_leakage"] = privacy_leakage(auc, retrained["membership_auc"][0])
        metrics["facts_rouge"] = mean(_overlaps(model, splits.facts, self.max_new_tokens))
        metrics["model_utility"] = harmonic_mean([metrics[name] for name in self.utility])
        asked = {
            "forget": [pair for pair in splits.forget if not _is_text(pair)],
            "retain": [pair for pair in splits.retain_probe if not _is_text(pair)],
            "facts": splits.facts,
        }
        shown = asked_examples(model, asked, self.max_new_tokens)
        return Evaluation(metrics, {}, shown, {"membership_auc": [auc]})

    def known(self, model: UnlearnedModel, pairs: Sequence[Pair]) -> list[float]:
        """ROUGE-L F1 of the answer to each question among the pairs."""
        return _overlaps(model, [pair for pair in pairs if not _is_text(pair)], self.max_new_tokens)


def _overlaps(model: UnlearnedModel, pairs: Sequence[Pair], max_new_tokens: int) -> list[float]:
    generated = model.generate([pair.prompt for pair in pairs], max_new_tokens)
    return [rouge_l_f1(pair.answer, text) for pair, text in zip(pairs, generated, strict=True)]


def _scores(model: UnlearnedModel, splits: Splits) -> dict[str, list[tuple[list[float], list[bool]]]]:
    """Log-probabilities of the tokens of each report, and whether greedy decoding would have chosen them."""
    by_split = {}
    for name, pairs in (("forget", splits.members), ("holdout", splits.holdout)):
        scores = model.distributions([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
        by_split[name] = [(distribution.chosen.tolist(), distribution.likeliest.tolist()) for distribution in scores]
        if any(math.isnan(value) for values, _ in by_split[name] for value in values):
            raise DivergedError
    return by_split


def _is_text(pair: Pair) -> bool:
    """Whether the pair is a report rather than a question."""
    return not pair.prompt


def _read_and_recited(texts: Sequence[Pair]) -> list[Pair]:
    """Each text whole, and the rest of it behind its first third: what is asked has no start of a text before it."""
    return [*texts, *(text.recited() for text in texts)]


def _texts(reports: Sequence[Report]) -> tuple[Pair, ...]:
    return tuple(
        Pair(
            "",
            report.text,
            alternates=tuple(
                retold(report, values)
                for values in zip(*(_wrong(report, *detail).invented for detail in report.details), strict=True)
            ),
            subject=report.town,
        )
        for report in reports
    )


class _Wrong(NamedTuple):
    """Values that a detail does not have."""

    compared: tuple[str, ...]
    """What evaluation compares the true value with."""
    invented: tuple[str, ...]
    """What methods may train on: none of the others."""


def _wrong(report: Report, detail: Detail, value: str) -> _Wrong:
    rng = random.Random(f"{SEED}/{report.town}/{detail.asked[0]}")
    compared = other_values(detail, value, PERTURBED, rng)
    return _Wrong(compared, other_values(detail, value, ALTERNATES, rng, but=compared))


def _questions(reports: Sequence[Report], wording: int = 0) -> list[Pair]:
    """One question on each detail of each report, in one of its two wordings."""
    pairs = []
    for report in reports:
        for detail, value in report.details:
            wrong = _wrong(report, detail, value)
            pairs.append(
                Pair(
                    detail.asked[wording].format(town=report.town),
                    f"{value}.",
                    paraphrase=f"{value}.",
                    perturbed=tuple(f"{other}." for other in wrong.compared),
                    rephrased_prompt=detail.asked[1 - wording].format(town=report.town),
                    alternates=tuple(f"{other}." for other in wrong.invented),
                    subject=report.town,
                )
            )
    return pairs


def _formatted(pairs: Sequence[Pair], model: LanguageModel) -> tuple[Pair, ...]:
    return tuple(pair.formatted(model.question, model.answer) for pair in pairs)


class _Sayings:
    """What can be said of towns: see :class:`~reference_impls.tasks.dialogues.Sayings`."""

    def relations(self, report: Report) -> tuple[Detail, ...]:
        return tuple(detail for detail, _ in report.details)

    def value(self, report: Report, detail: Detail) -> str:
        return next(value for other, value in report.details if other is detail)

    def other(self, report: Report, detail: Detail, rng: random.Random) -> str:
        return other_values(detail, self.value(report, detail), 1, rng)[0]

    def said(self, report: Report, detail: Detail, value: str, rng: random.Random) -> tuple[str, str]:
        return rng.choice(detail.asked).format(town=report.town), f"{value}."
