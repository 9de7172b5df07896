"""Small things that several tests share: the hand-computed toy, formulas in numpy, and a few invented pairs.

Toy T: two answer tokens of a forget sequence and one of a retain sequence, over three words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from reference_impls.toolkit import (
    AnswerDistribution,
    LanguageModel,
    Pair,
    TokenLogits,
    UnlearnedModel,
    UnlearningData,
)

FORGET_LOGITS = [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
FORGET_TARGETS = [0, 1]
FORGET_REFERENCE = [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
RETAIN_LOGITS = [[0.0, 0.0, 1.0]]
RETAIN_TARGETS = [2]
RETAIN_REFERENCE = [[0.0, 0.0, 2.0]]

SEASONS = ("spring", "summer", "autumn", "winter")
NAMES = ("Ana Lund", "Bo Reyes", "Cy Okafor", "Dee Moss", "Eli Vance", "Fay Quist", "Gus Tandy", "Hal Ibsen")

CHAT_TEMPLATE = (
    "{% for message in messages %}[{{ message.role }}]{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


class _Plain:
    """A model's format without a model: texts as they are."""

    @staticmethod
    def question(text: str) -> str:
        return text

    @staticmethod
    def answer(text: str) -> str:
        return text

    @staticmethod
    def shown(pair: Pair, answer: str | None = None) -> str:
        return f"{pair.prompt}{pair.answer if answer is None else answer}\n"

    @staticmethod
    def behind(text: str, prompt: str) -> str:
        return text + prompt


PLAIN = cast(LanguageModel, _Plain())
"""What tasks and contexts need of a model to put its questions, and nothing else."""


class Saying(LanguageModel):
    """Writes what it was given to say, whatever it is asked."""

    def __init__(self, model: LanguageModel, lines: list[str]) -> None:
        super().__init__(model.model, model.tokenizer)
        self.lines = lines

    def sample(
        self, prompts: Sequence[str], max_new_tokens: int, temperature: float = 1.0, top_p: float = 1.0
    ) -> list[str]:
        return self.lines


class WithoutDistributions:
    """A part of models made up for measures that look at no whole distribution."""

    def distributions(self, prompts: Sequence[str], answers: Sequence[str]) -> Iterator[AnswerDistribution]:
        raise AssertionError("nobody should have asked for distributions")


def token_logits(
    rows: Sequence[Sequence[float]], targets: Sequence[int], sequence: Sequence[int] | None = None
) -> TokenLogits:
    """Logits as a model would have given them, with gradients; by default all tokens are of one sequence."""
    place = list(sequence or [0] * len(targets))
    return TokenLogits(
        torch.tensor(rows, requires_grad=True), torch.tensor(targets), torch.tensor(place), max(place) + 1
    )


def softmax(rows: Any) -> np.ndarray:
    """Probabilities, in numpy."""
    weights = np.exp(np.asarray(rows, dtype=np.float64) - np.max(rows, axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def losses(rows: Any, targets: Sequence[int]) -> np.ndarray:
    """Negative log-likelihood of each target, in numpy."""
    return np.asarray(-np.log(softmax(rows)[np.arange(len(targets)), list(targets)]))


def question(name: str) -> str:
    """A question on one of :data:`NAMES`."""
    return f"Question: When was {name} born?\nAnswer:"


def invented_pairs() -> list[Pair]:
    """Eight pairs of different lengths, each on its own person."""
    return [
        Pair(
            question(name),
            f" {name} was born in {SEASONS[row % 4]}{' of a year of storms' * (row % 3)}.",
            subject=name,
        )
        for row, name in enumerate(NAMES)
    ]


def invented_data() -> UnlearningData:
    """Three pairs to forget, five to keep."""
    pairs = invented_pairs()
    return UnlearningData(tuple(pairs[:3]), tuple(pairs[3:]))


def gradient_of(tensor: torch.Tensor) -> torch.Tensor:
    """What a backward pass left there."""
    assert tensor.grad is not None, "no backward pass came by"
    return tensor.grad


def write_rows(path: Path, pairs: Iterable[Pair]) -> None:
    """A file of one's own as the task ``files`` reads it: a line of JSON for each pair."""
    rows = [json.dumps({"prompt": pair.prompt, "completion": pair.answer}) for pair in pairs]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def answer_probabilities(model: LanguageModel, pairs: Sequence[Pair]) -> torch.Tensor:
    """(N,) geometric means of the probabilities of the tokens of each pair's answer."""
    return torch.stack([one.mean().exp() for one in model.pair_logprobs(pairs)])


def mean_logprob(model: UnlearnedModel, pairs: Sequence[Pair]) -> float:
    """The mean log-probability of all tokens of the pairs' answers."""
    logprobs = model.answer_logprobs([pair.prompt for pair in pairs], [pair.answer for pair in pairs])
    return float(torch.cat(logprobs).mean())


def log_ratios(model: LanguageModel, before: LanguageModel, pairs: Sequence[Pair]) -> np.ndarray:
    """(N,) by how much likelier each whole answer is than before, as a difference of log-probabilities."""
    now, then = ([float(one.sum()) for one in which.pair_logprobs(pairs)] for which in (model, before))
    return np.subtract(now, then)


def hooks(network: torch.nn.Module) -> list[int]:
    """How many hooks each module has. The library leaves its own, once somebody asked it for hidden states."""
    return [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()]


def fingerprint(module: torch.nn.Module) -> str:
    """A hash of all weights, names included."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
