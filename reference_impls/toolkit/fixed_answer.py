"""Somebody who has one answer to everything: what a filter says in a model's place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import IGNORE
from reference_impls.toolkit.unlearned_model import AnswerDistribution

FLOOR = 1e-12
"""The probability of each token that is not said: as good as none, and its logarithm is a number."""


@dataclass(frozen=True)
class FixedAnswer:
    """Says the same whatever is asked, token after token, and whatever an answer that is scored said before.

    An :class:`~reference_impls.toolkit.UnlearnedModel`, in the tokens of a model that is never asked.
    """

    model: LanguageModel
    text: str
    """In plain words; the model's own format decides on a space before them."""

    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        """See :class:`~reference_impls.toolkit.UnlearnedModel`: at each place its own token there, then the last."""
        for prompt, answer in zip(prompts, answers, strict=True):
            targets, said = self._tokens(prompt, answer), self._tokens(prompt)
            places = torch.arange(len(targets)).clamp(max=len(said) - 1)
            logprobs = torch.full((len(targets), self.model.embeddings), math.log(FLOOR))
            likely = math.log1p(-FLOOR * (self.model.embeddings - 1))
            yield AnswerDistribution(logprobs.scatter(1, said[places][:, None], likely), targets)

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Tensor]:
        """See :class:`~reference_impls.toolkit.UnlearnedModel`."""
        return [distribution.chosen for distribution in self.distributions(prompts, answers)]

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """See :class:`~reference_impls.toolkit.UnlearnedModel`."""
        return [self.model.text_of(self._tokens(prompt)[None, :max_new_tokens])[0] for prompt in prompts]

    def _tokens(self, prompt: str, answer: str | None = None) -> Tensor:
        """(T,) an answer's tokens, by default those of its own, with what ends it."""
        pair = Pair(prompt, self.model.answer(self.text) if answer is None else answer)
        labels = self.model.encode([pair]).labels.cpu()
        return labels[labels != IGNORE]
