r"""Real-World Knowledge Unlearning (RWKU).

The benchmark as published: two hundred famous people whom every large model knows. One of them is to be forgotten, with
nothing given but texts that the model itself wrote about them.

## What is read

| part | file of `jinzhuoran/RWKU` | rows |
|---|---|---|
| forget | `All/positive` | `text`, `subject` |
| filled in | `All/forget_level1` | `query`, `answer`, `subject` |
| asked | `All/forget_level2` | the same |
| asked with tricks | `All/forget_level3` | the same, and `type`, one of nine |
| neighbours | `All/neighbor_level1`, `All/neighbor_level2` | as the first two |

Of each file the rows of the person are taken, whose name stands in the task's: `rwku/Stephen_King`. Folders that the
authors' own script makes for each person (`Target/1_Stephen_King/...`) are read as well. `positive` was written by
Llama-3-8B; for another model write such texts with it.

## What is measured

ROUGE-L recall of the answer in up to 30 new tokens, up to the first line's end: on what is to be forgotten (in three
levels) and on the person's neighbours, which must stay. There is no retain set and no retrained model; compare with the
model before.

## Differences

1. The general tests (MMLU, BBH, TruthfulQA, TriviaQA, fluency) and the membership set are not run.
2. Line ends before the answer do not count; the released code takes an answer that begins with one as none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reference_impls.errors import UnknownNameError
from reference_impls.metrics.answers import rouge_l_distinct_recall
from reference_impls.metrics.sets import mean
from reference_impls.tasks import rows
from reference_impls.tasks.benchmark import Benchmark, agreement, write
from reference_impls.tasks.sources import PAIRS, QUESTIONS, Form, Source
from reference_impls.toolkit import Evaluation, LanguageModel, Pair, Splits, UnlearnedModel, examples

REPOSITORY = "jinzhuoran/RWKU"
FILL = "Please complete the blank in the following question.\nQuestion: {}\n"
ASK = "Please briefly answer the following question.\nQuestion: {}\n"
ASK_IN_CONTEXT = "Please briefly answer the following question.\n{}\n"
ASK_WITH_BEGINNING = "Please briefly answer the following question.\nQuestion: {}"
LEVELS = {
    "forget_fill": "forget_level1",
    "forget_question": "forget_level2",
    "forget_adversarial": "forget_level3",
    "retain_fill": "neighbor_level1",
    "retain_question": "neighbor_level2",
}


class RwkuBenchmark(Benchmark):
    """Forget a famous person."""

    paper = "jin2024rwku"
    headline = "forget_question"
    variants = {"<person>": "forget one of two hundred famous people, such as rwku/Stephen_King"}
    max_new_tokens = 30
    lacking = "RWKU publishes no retain set."

    def sources(self) -> dict[str, Source]:
        """The texts about the person, and the questions of each level."""
        questions = {part: self._source(stem, stem, "test", QUESTIONS) for part, stem in LEVELS.items()}
        return {"forget": self._source("positive", "train_positive_llama3", "train", PAIRS), **questions}

    def _source(self, stem: str, config: str, split: str, form: Form) -> Source:
        # A * for the person's number, and each character that a pattern would read as more than itself.
        person = re.sub(r"[\[\]*?]", "?", self.variant)
        return Source(REPOSITORY, f"All/{stem}", config, split, also=(f"*_{person}/{stem}",), form=form)

    def splits(self, model: LanguageModel) -> Splits:
        """What the data say of the person, in the format of ``model``.

        Raises:
            UnknownNameError: they say nothing of such a person.
        """
        asked = {
            part: tuple(_asked(row, FILL if part.endswith("fill") else ASK, model) for _, row in self._of_person(part))
            for part in LEVELS
        }
        forget = tuple(pair for place, row in self._of_person("forget") for pair in rows.pairs(row, place, model))
        return Splits(forget=forget, retain=(), asked=asked)

    def _of_person(self, part: str) -> list[tuple[str, dict[str, Any]]]:
        person = self.variant.replace("_", " ")
        placed_rows = [(place, row) for place, row in self.files[part] if row.get("subject", person) == person]
        if not placed_rows:
            known = sorted({row["subject"] for _, row in self.files[part] if row.get("subject")})
            raise UnknownNameError(f"person of {REPOSITORY} ({LEVELS.get(part, 'positive')})", person, known)
        return placed_rows

    def evaluate(
        self, model: UnlearnedModel, splits: Splits, retrained: Mapping[str, Sequence[float]] | None = None
    ) -> Evaluation:
        """ROUGE-L recall on each level, and on the neighbours."""
        written = {name: write(model, pairs, self.max_new_tokens, first_line) for name, pairs in splits.asked.items()}
        metrics = {
            name: agreement(pairs, written[name], rouge_l_distinct_recall) for name, pairs in splits.asked.items()
        }
        metrics["model_utility"] = mean([metrics["retain_fill"], metrics["retain_question"]])
        shown = {part: splits.asked[f"{part}_question"] for part in ("forget", "retain")}
        return Evaluation(metrics, {}, examples(shown, {part: written[f"{part}_question"] for part in shown}), {})


def _asked(row: Mapping[str, Any], form: str, model: LanguageModel) -> Pair:
    """A question as RWKU puts it: in the user's turn, with the answer's first word in the assistant's."""
    kind = row.get("type", "")
    begun = kind == "affirmative suffix"  # brings a beginning of its own
    form = {"affirmative suffix": ASK_WITH_BEGINNING, "incontext learning": ASK_IN_CONTEXT}.get(kind, form)
    said = form.format(row["query"])
    prompt = model.conversation([{"role": "user", "content": said}]) if model.tokenizer.chat_template else said
    return Pair(prompt if begun else f"{prompt}Answer:", row["answer"], subject=row.get("subject", ""))


def first_line(text: str) -> str:
    """An answer up to the end of its line."""
    return text.strip().partition("\n")[0].strip()
