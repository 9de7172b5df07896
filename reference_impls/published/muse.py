r"""Machine unlearning six-way evaluation (MUSE).

The benchmark as published: news articles or the Harry Potter books, which a model was fine-tuned on. Can it still
recite them, does it still know what they say, does its loss betray that it read them, and what became of the rest?

## What is read

| part | file of `muse-bench/MUSE-News` or `MUSE-Books` | rows |
|---|---|---|
| forget | `raw/forget`, for `news-scal-2` `scal/forget_2` | `text` |
| retain | `raw/retain1` | `text` |
| recited | `verbmem/forget` | `prompt`, `gt` |
| known | `knowmem/forget_qa`, and examples: `knowmem/forget_qa_icl` | `question`, `answer` |
| kept | `knowmem/retain_qa`, `knowmem/retain_qa_icl` | the same |
| private | `privleak/forget`, `privleak/holdout` | `text` |

In the authors' own folder (`data/news/...`) the same are lists of texts or one text. Texts longer than the window
become several. The reference (`--reference`) is a model that was fine-tuned without the forget set.

## What is measured

- **Verbatim memorization** (VerbMem): ROUGE-L F1 between the first 128 tokens of the true continuation and as many new
  ones.
- **Knowledge memorization** (KnowMem): ROUGE-L F1 of 32 new tokens after ten examples and the question. On the retain
  set it is **utility preservation**.
- **Privacy leakage** (PrivLeak): $100\,(A - A_{\mathrm{ref}})/A_{\mathrm{ref}}$ with $A$ the complement of the AUC by
  Min-40% of forget against holdout texts; without a reference there is none.

The paper gives the first three in percent.

## Differences

1. The released code loads models in 8 bits for the first two; here they are as they are.
2. A text is read up to the window; the released code reads all of a passage for the third.
3. Of the retain set's two parts the first is learned from, as in the paper; the second is in the model alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from reference_impls.metrics.membership import min_k_score, privacy_leakage
from reference_impls.metrics.sets import membership_auc
from reference_impls.tasks.benchmark import Benchmark, agreement, passage, write
from reference_impls.tasks.rows import Said
from reference_impls.tasks.sources import CONTINUED, QUESTIONS, TEXTS, Form, Source
from reference_impls.toolkit import (
    DivergedError,
    Evaluation,
    LanguageModel,
    Pair,
    Splits,
    UnlearnedModel,
    examples,
)

RECITED, ANSWERED = 128, 32
"""How many tokens are written after a passage's beginning, and after a question."""


class MuseBenchmark(Benchmark):
    """Forget what was read."""

    paper = "shi2024muse"
    headline = "forget_verbatim"
    variants = {
        "news": "forget BBC articles, and keep others",
        "books": "forget the Harry Potter books, and keep what a fan site says of them",
        "news-scal-2": "forget twice as many articles (scalability)",
        "news-scal-3": "forget three times as many",
        "news-scal-4": "forget four times as many",
    }
    max_new_tokens = ANSWERED

    def sources(self) -> dict[str, Source]:
        """The corpus, and the questions of each metric."""
        corpus, _, size = self.variant.partition("-scal-")
        files = {
            "forget": (f"scal/forget_{size}" if size else "raw/forget", TEXTS),
            "retain": ("raw/retain1", TEXTS),
            "recited": ("verbmem/forget", CONTINUED),
            "known": ("knowmem/forget_qa", QUESTIONS),
            "known examples": ("knowmem/forget_qa_icl", QUESTIONS),
            "kept": ("knowmem/retain_qa", QUESTIONS),
            "kept examples": ("knowmem/retain_qa_icl", QUESTIONS),
            "members": ("privleak/forget", TEXTS),
            "holdout": ("privleak/holdout", TEXTS),
        }
        return {part: _source(corpus, stem, form) for part, (stem, form) in files.items()}

    def splits(self, model: LanguageModel) -> Splits:
        """MUSE's sets in the format of ``model``; questions and passages are put as they are, as to a base model."""
        asked = {
            "recited": tuple(
                Pair(entry.prompt or "", _beginning(entry.answer, model)) for entry in self.said("recited")
            ),
            "known": tuple(_behind(self.said("known examples"), self.said("known"))),
            "kept": tuple(_behind(self.said("kept examples"), self.said("kept"))),
        }
        self._tokenizer = model.tokenizer
        return Splits(
            forget=self.pairs("forget", model),
            retain=self.pairs("retain", model),
            members=tuple(passage(entry.answer) for entry in self.said("members")),
            holdout=tuple(passage(entry.answer) for entry in self.said("holdout")),
            asked=asked,
        )

    def evaluate(
        self, model: UnlearnedModel, splits: Splits, retrained: Mapping[str, Sequence[float]] | None = None
    ) -> Evaluation:
        """VerbMem, KnowMem, utility and, against a reference, PrivLeak.

        Raises:
            DivergedError: log-probabilities are not numbers, as after steps that were too large.
        """
        members, holdout = (self._scores(model, texts) for texts in (splits.members, splits.holdout))
        auc = membership_auc([-value for value in members], [-value for value in holdout])
        asked = splits.asked
        told = {name: write(model, asked[name], ANSWERED, up_to_next) for name in ("known", "kept")}
        kept = agreement(asked["kept"], told["kept"])
        metrics = {
            "forget_verbatim": agreement(asked["recited"], write(model, asked["recited"], RECITED)),
            "forget_knowledge": agreement(asked["known"], told["known"]),
            "retain_knowledge": kept,
            "membership_auc": auc,
        }
        if retrained is not None:
            metrics["privacy_leakage"] = privacy_leakage(auc, retrained["membership_auc"][0])
        metrics["model_utility"] = kept
        shown = examples(
            {"forget": asked["known"], "retain": asked["kept"]}, {"forget": told["known"], "retain": told["kept"]}
        )
        return Evaluation(metrics, {}, shown, {"membership_auc": [auc]})

    def _scores(self, model: UnlearnedModel, texts: Sequence[Pair]) -> list[float]:
        """Min-40% of each text's own tokens, without the one that ends it."""
        logprobs = model.answer_logprobs([text.prompt for text in texts], [text.answer for text in texts])
        scores = []
        for text, values in zip(texts, logprobs, strict=True):
            own = len(self._tokenizer(text.answer, add_special_tokens=False)["input_ids"])
            scores.append(min_k_score(values[:own].tolist()))
        if any(math.isnan(value) for value in scores):
            raise DivergedError
        return scores


def _source(corpus: str, stem: str, form: Form) -> Source:
    config, split = stem.split("/")
    repository = f"muse-bench/MUSE-{corpus.capitalize()}"
    return Source(repository, stem, config, split, also=(f"{corpus}/{stem}",), form=form)


def _beginning(text: str, model: LanguageModel) -> str:
    """As many tokens of a true continuation as are written, the one that begins a text counted."""
    ids = model.tokenizer(text)["input_ids"][:RECITED]
    beginning: str = model.tokenizer.decode(ids, skip_special_tokens=True)
    return beginning


def _behind(shown: Sequence[Said], asked: Sequence[Said]) -> Iterator[Pair]:
    """Each question behind the examples, as MUSE puts it to a base model."""
    before = "".join(f"Question: {example.question}\nAnswer: {example.answer}\n\n" for example in shown)
    for entry in asked:
        yield Pair(f"{before}Question: {entry.question}\nAnswer: ", entry.answer)


def up_to_next(text: str) -> str:
    """An answer up to where the model goes on with a question of its own."""
    for mark in ("\n\n", "\nQuestion", "Question:"):
        text = text.partition(mark)[0]
    return text.strip()
