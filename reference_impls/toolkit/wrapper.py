"""Models of which the weights are not all: what was unlearned is, at least in part, around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.unlearned_model import AnswerDistribution, UnlearnedModel


class Wrapper(UnlearnedModel, Protocol):
    """An unlearned model of which the weights are not all: what was unlearned is, at least in part, around them."""

    model: LanguageModel
    """The model inside."""

    def bare(self) -> LanguageModel:
        """A copy of the weights with all that is around them taken away: what an attacker who has them is left with."""
        ...

    def to_json(self) -> dict[str, Any]:
        """All that must be kept besides weights."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """The weights that are around those of the model inside, by name."""
        ...


@dataclass(frozen=True)
class Kept:
    """What was saved of a :class:`Wrapper` besides the weights of the model inside."""

    facts: Mapping[str, Any]
    """See :meth:`Wrapper.to_json`."""
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """See :meth:`Wrapper.tensors`."""


class Wrapped:
    """A model inside what a method put around it: asked as it is, behind whatever :meth:`prompt` puts before a query.

    Methods derive from it and add what they keep (``to_json``, ``tensors``) and, if they like, a ``prompt``.
    """

    model: LanguageModel
    """The model inside."""

    def prompt(self, query: str) -> str:
        """The query as it reaches the model inside."""
        return query

    def bare(self) -> LanguageModel:
        """See :class:`Wrapper`."""
        return self.model.copy()

    def tensors(self) -> dict[str, Tensor]:
        """See :class:`Wrapper`."""
        return {}

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Tensor]:
        """See :class:`UnlearnedModel`."""
        return self.model.answer_logprobs([self.prompt(query) for query in prompts], answers)

    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        """See :class:`UnlearnedModel`."""
        return self.model.distributions([self.prompt(query) for query in prompts], answers)

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """See :class:`UnlearnedModel`."""
        return self.model.generate([self.prompt(query) for query in prompts], max_new_tokens)
