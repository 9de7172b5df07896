"""What a method returns and evaluation asks: anything that gives log-probabilities and text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from reference_impls.toolkit.language_model import LanguageModel


@dataclass(frozen=True)
class AnswerDistribution:
    """What a model expects at each token of one answer, given the true tokens before it."""

    logprobs: Tensor
    """(T, V) log-probabilities of all tokens."""
    targets: Tensor
    """(T,) the answer's tokens."""

    @property
    def chosen(self) -> Tensor:
        """(T,) log-probability of each of the answer's tokens."""
        return self.logprobs.gather(1, self.targets[:, None])[:, 0]

    @property
    def likeliest(self) -> Tensor:
        """(T,) whether the token is the one that greedy decoding would have chosen there."""
        return self.logprobs.argmax(dim=1) == self.targets

    @property
    def expected(self) -> Tensor:
        """(T,) mean log-probability of a token drawn from the model there: minus its entropy."""
        return (self.logprobs.exp() * self.logprobs).sum(dim=1)

    @property
    def deviation(self) -> Tensor:
        """(T,) standard deviation of that log-probability."""
        from_mean = self.logprobs - self.expected[:, None]
        return (self.logprobs.exp() * from_mean**2).sum(dim=1).sqrt()


class UnlearnedModel(Protocol):
    """All that evaluation and attacks see of a model: a prompt or a filter counts as much as new weights."""

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Tensor]:
        """For each answer, (T,) log-probabilities of its tokens (end-of-sequence included) after its prompt."""
        ...

    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        """For each answer, in order, all that the model expects there; one at a time, since they are large."""
        ...

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """The greedy continuation of each prompt, without special tokens."""
        ...


class Wrapper(UnlearnedModel, Protocol):
    """An unlearned model of which the weights are not all: what was unlearned is, at least in part, around them."""

    model: LanguageModel
    """The model inside."""

    def to_json(self) -> dict[str, Any]:
        """All that must be kept besides the weights."""
        ...


class Wrapped:
    """A model inside what a method put around it: asked as it is, behind whatever :meth:`prompt` puts before a query.

    Methods derive from it and add what they keep (``to_json``) and, if they like, a ``prompt``.
    """

    model: LanguageModel
    """The model inside."""

    def prompt(self, query: str) -> str:
        """The query as it reaches the model inside."""
        return query

    def answer_logprobs(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Tensor]:
        """See :class:`UnlearnedModel`."""
        return self.model.answer_logprobs([self.prompt(query) for query in prompts], answers)

    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        """See :class:`UnlearnedModel`."""
        return self.model.distributions([self.prompt(query) for query in prompts], answers)

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        """See :class:`UnlearnedModel`."""
        return self.model.generate([self.prompt(query) for query in prompts], max_new_tokens)
