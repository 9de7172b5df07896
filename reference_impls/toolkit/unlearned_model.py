"""What a method returns and evaluation asks: anything that gives log-probabilities and text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


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
