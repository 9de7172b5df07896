"""Several language models that speak with one voice: what each expects next becomes one distribution."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded, TokenLogits

Rule = Callable[[Sequence[Tensor]], Tensor]
"""From each model's (..., V) logits, in order, to (..., V) logits."""


def _first(logits: Sequence[Tensor]) -> Tensor:
    return logits[0]


def _nobody() -> Iterable[LanguageModel]:
    return ()


@dataclass
class Combined(LanguageModel):
    """A language model whose logits, at every token, are made of those of several with the same tokenizer.

    Text is read and written as by the first of them; scores and generation go by the same rule.
    """

    voices: Callable[[], Iterable[LanguageModel]] = _nobody
    """Gives the models in order, the first included, each ready to be asked when it comes up."""
    rule: Rule = field(default=_first)

    @classmethod
    def of(cls, first: LanguageModel, voices: Callable[[], Iterable[LanguageModel]], rule: Rule = _first) -> Combined:
        """``first`` and others as one; without a rule, what the first of the voices says."""
        return cls(first.model, first.tokenizer, first.max_length, first.batch_size, voices=voices, rule=rule)

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        """See :class:`LanguageModel`."""
        each = [voice.token_logits(*batches) for voice in self.voices()]
        return tuple(
            told[0].with_logits(self.rule([token_logits.logits for token_logits in told]))
            for told in zip(*each, strict=True)
        )

    def _read_on(self, input_ids: Tensor, past: Any) -> tuple[Tensor, Any]:
        logits, kept = [], []
        for place, voice in enumerate(self.voices()):
            told, read = voice._read_on(input_ids, past[place] if past else None)
            logits.append(told)
            kept.append(read)
        return self.rule(logits), kept

    def _decoded(self, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
        lengths = attention_mask.sum(dim=1)
        out = input_ids.new_full((len(input_ids), options["max_new_tokens"]), options["pad_token_id"])
        for length in lengths.unique().tolist():  # prompts of one length need no padding
            (rows,) = (lengths == length).nonzero(as_tuple=True)
            continuation = self._continued(input_ids[rows, input_ids.shape[1] - length :], **options)
            out[rows, : continuation.shape[1]] = continuation
        return out

    def _continued(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        pad_token_id: int,
        eos_token_id: Sequence[int] | None,
        do_sample: bool,
        temperature: float = 1.0,
        **whole: Any,
    ) -> Tensor:
        """(B, T) what follows (B, L) tokens, greedily or drawn from the whole distribution; padding after its end."""
        stops = torch.tensor(list(eos_token_id or ()), dtype=torch.long, device=input_ids.device)
        done = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        tokens = [input_ids[:, :0]]
        read, past = input_ids, None
        while len(tokens) <= max_new_tokens and not bool(done.all()):
            logits, past = self._read_on(read, past)
            if do_sample:
                read = torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1)
            else:
                read = logits.argmax(dim=-1, keepdim=True)
            tokens.append(read.masked_fill(done[:, None], pad_token_id))
            done |= torch.isin(read[:, 0], stops)
        return torch.cat(tokens, dim=1)


def mean_vote(logits: Sequence[Tensor]) -> Tensor:
    r"""(..., V) $\log \frac1S \sum_k p_k$ of the models' (..., V) logits: the mean of probabilities."""
    logprobs = torch.stack([torch.log_softmax(each, dim=-1) for each in logits])
    return torch.logsumexp(logprobs, dim=0) - math.log(len(logprobs))
