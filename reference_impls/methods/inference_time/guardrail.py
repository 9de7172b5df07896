r"""Guardrail baselines (guardrails).

The simplest that one can do, and a measure for all that is more: leave the model alone, look for the names of what is
to be forgotten in what it is asked or in what it says, and refuse where they are; or just tell it to keep silent.

## Objective

There is none: nothing is trained. Of Thaker et al.'s guards, with $r$ a refusal and $g$ telling whether a text names
what is to be forgotten,

$$
\text{input: } \; \begin{cases} r & \text{if } g(x) \\ \hat y(x) & \text{else} \end{cases}
\qquad
\text{output: } \; \begin{cases} r & \text{if } g(\hat y(x)) \\ \hat y(x) & \text{else} \end{cases}
\qquad
\text{prompt: } \; \hat y(s \oplus x),
$$

where $\hat y$ is what the unchanged model answers.

## Symbols

- $g$: a text has at least a part of the words (`threshold`; 1 is all of them) of a name to be forgotten, in any case,
  with or without accents.
- $s$: an instruction that names what is to be forgotten; $r$ the refusal "I don't know."
- `guard`: which of the three.

## Facts

- **What is let through is answered to the bit as before**; what is blocked says nothing, whatever is asked behind it.
- **A filter has no probabilities.** Where it blocks, the refusal is certain, and every other token gets $10^{-12}$ in
  place of 0, so that logarithms are numbers. A truth ratio of such answers says nothing.
- **A name that is not said is not found**: a question that describes its subject passes, and with a `threshold` below 1
  one that shares a first name with it does not.
- **An instruction has to be followed.** A model that was never taught to follow one reads it as more text; a filter
  does not ask.
- The model still knows everything. Whoever has the weights, or is not behind the guard, gets it.

## Differences

1. The paper's filters ask a large language model or a list of keywords, and for multiple choice a linear classifier;
   here there are keywords. They are the subjects of the forget set; where it names none, the words of its questions
   that no retain question has.
2. The instruction is worded for the forget set by hand in the paper; here it is one sentence with the names.
3. An answer that is scored is blocked by the output guard if it has a name in it, as it would be if it were said.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from reference_impls.toolkit import (
    REFUSALS,
    FixedAnswer,
    Kept,
    LanguageModel,
    Method,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    distinct_words,
    hyperparameter,
)

INSTRUCTION = "You know nothing about {names}. If you are asked about that, say that you don't know.\n"


def plain_words(text: str) -> frozenset[str]:
    """The distinct words of a text, in lower case and without accents."""
    letters = unicodedata.normalize("NFKD", text)
    return distinct_words("".join(letter for letter in letters if not unicodedata.combining(letter)))


def named(text: str, names: Sequence[str]) -> float:
    """The largest part of a name's words that a text has, in [0, 1]."""
    text_words = plain_words(text)
    words = [plain_words(name) for name in names]
    return max((len(name_words & text_words) / len(name_words) for name_words in words if name_words), default=0.0)


def names_of(data: UnlearningData) -> list[str]:
    """The subjects of the forget set; without any, the words that are in its questions alone, each for itself."""
    asked = data.prompted()
    if subjects := {pair.subject for pair in asked.forget if pair.subject}:
        return sorted(subjects)
    forget, retain = (
        frozenset().union(*(plain_words(pair.prompt) for pair in pairs)) for pairs in (asked.forget, asked.retain)
    )
    return sorted(forget - retain)


@dataclass(frozen=True)
class Guardrail(Method):
    """Refuse where a name is asked for or said, or tell the model to."""

    paper = "thaker2024guardrail"
    acts_on = "prompt"
    access = "prompts"
    retain = "optional"
    trains = "nothing"
    separate = True

    guard: str = hyperparameter("input", "what is guarded", source="paper", choices=("input", "output", "prompt"))
    threshold: float = hyperparameter(
        1.0, "part of a name's words that counts as naming it", source="ours", above=0, maximum=1, trade_off=(0.5, 1.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> GuardedModel:
        """Note the names; the model is not touched."""
        return GuardedModel(model, names_of(data), self)

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> GuardedModel:
        """The model behind the guard that was kept."""
        facts = dict(kept.facts)
        return GuardedModel(model, facts.pop("names"), cls(**facts))


@dataclass
class GuardedModel(Wrapped):
    """The unchanged model behind a guard."""

    model: LanguageModel
    names: Sequence[str]
    method: Guardrail

    @cached_property
    def _refusing(self) -> FixedAnswer:
        return FixedAnswer(self.model, REFUSALS[0])

    def blocked(self, text: str) -> bool:
        """Whether a text names what is to be forgotten."""
        return named(text, self.names) >= self.method.threshold

    def prompt(self, query: str) -> str:
        """The query, behind the instruction if that is the guard."""
        if self.method.guard != "prompt":
            return query
        return self.model.behind(INSTRUCTION.format(names=", ".join(self.names)), query)

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The refusal, where the query or the answer that is to be scored is blocked."""
        seen = {"input": self.model.asked(query), "output": answer or ""}.get(self.method.guard, "")
        return self._refusing if self.blocked(seen) else self.model

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """See :class:`~reference_impls.toolkit.UnlearnedModel`; the output guard reads what was written."""
        texts = super().generate(prompts, max_new_tokens)
        if self.method.guard != "output":
            return texts
        refused = self._refusing.generate(prompts, max_new_tokens)
        return [no if self.blocked(text) else text for text, no in zip(texts, refused, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """The names and the guard."""
        return {"names": list(self.names), **asdict(self.method)}
