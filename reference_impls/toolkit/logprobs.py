r"""Log-probabilities of answers: the one place that turns token ids and labels into supervised positions.

Notation of the field: for a prompt :math:`x` and its answer :math:`y = (y_1, \dots, y_T)`,
:math:`\log p_\theta(y \mid x) = \sum_t \log p_\theta(y_t \mid x, y_{<t})`. The token at place :math:`t` is predicted
from the place before, so labels are shifted by one; prompt and padding carry the label ``IGNORE`` and never count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

IGNORE = -100


@dataclass(frozen=True)
class Encoded:
    """A batch of pairs as tokens, padded on the right."""

    input_ids: Tensor
    """(B, L) token ids."""
    attention_mask: Tensor
    """(B, L) 1 on tokens, 0 on padding."""
    labels: Tensor
    """(B, L) the token ids on answers, ``IGNORE`` elsewhere."""
    rows: Tensor
    """(B,) which pair of the data set each sequence is."""
    reference: Tensor | None = None
    """(N,) log-probabilities of the supervised tokens under the model before unlearning, if the method asks."""

    def __len__(self) -> int:
        return len(self.input_ids)

    @classmethod
    def empty(cls, device: torch.device) -> Encoded:
        """A batch without sequences: losses of it are 0."""
        nothing = torch.zeros((0, 1), dtype=torch.long, device=device)
        return cls(nothing, nothing, nothing, nothing[:, 0])

    def to(self, device: torch.device) -> Encoded:
        """The same batch on a device."""
        moved: dict[str, Any] = {
            name: None if value is None else value.to(device) for name, value in vars(self).items()
        }
        return replace(self, **moved)

    @property
    def supervised(self) -> tuple[Tensor, Tensor]:
        """(N,) sequence and (N,) place of the logits that predict each of the N answer tokens, in reading order."""
        sequence, place = (self.labels[:, 1:] != IGNORE).nonzero(as_tuple=True)
        return sequence, place


@dataclass(frozen=True)
class TokenLogits:
    """Logits at the supervised positions of a batch, and there alone."""

    logits: Tensor
    """(N, V) float32."""
    targets: Tensor
    """(N,) the answer tokens."""
    sequence: Tensor
    """(N,) which sequence of the batch each token belongs to."""
    sequences: int
    """B, the number of sequences."""

    def token_logprobs(self) -> Tensor:
        r"""(N,) :math:`\log p_\theta(y_t \mid x, y_{<t})`."""
        chosen = self.logits.gather(1, self.targets[:, None])[:, 0]
        return chosen - torch.logsumexp(self.logits, dim=1)

    def sequence_logprobs(self) -> Tensor:
        r"""(B,) :math:`\log p_\theta(y \mid x)`, the sum over the answer's tokens."""
        return self.sum_by_sequence(self.token_logprobs())

    def sequence_nll(self) -> Tensor:
        r"""(B,) :math:`-\tfrac1T \log p_\theta(y \mid x)`, the mean over the answer's tokens."""
        return -self.mean_by_sequence(self.token_logprobs())

    def sum_by_sequence(self, values: Tensor) -> Tensor:
        """(N,) values of tokens -> (B,) sums of sequences."""
        return sum_by_sequence(values, self.sequence, self.sequences)

    def mean_by_sequence(self, values: Tensor) -> Tensor:
        """(N,) values of tokens -> (B,) means of sequences."""
        return mean_by_sequence(values, self.sequence, self.sequences)

    def mean(self, values: Tensor) -> Tensor:
        """() The mean of (N,) values of tokens over each sequence's tokens, then over sequences; 0 of nothing."""
        each = self.mean_by_sequence(values)
        return each.mean() if len(each) else each.sum()


def sum_by_sequence(values: Tensor, sequence: Tensor, sequences: int) -> Tensor:
    """(N,) values of tokens and which of the B sequences each belongs to -> (B,) sums."""
    return values.new_zeros(sequences).index_add(0, sequence, values)


def mean_by_sequence(values: Tensor, sequence: Tensor, sequences: int) -> Tensor:
    """(N,) values of tokens and which of the B sequences each belongs to -> (B,) means; 0 of a sequence without any."""
    counts = torch.bincount(sequence, minlength=sequences)
    return sum_by_sequence(values, sequence, sequences) / counts.clamp(min=1)


def mean_nll(out: TokenLogits) -> Tensor:
    r"""() :math:`\tfrac1{|S|}\sum_{(x,y)\in S} -\tfrac1{|y|}\log p_\theta(y \mid x)`.

    Each answer counts alike, however long (as in TOFU).
    """
    return -out.mean(out.token_logprobs())


def mean_kl(reference: TokenLogits, out: TokenLogits) -> Tensor:
    r"""() :math:`\mathrm{KL}(p_{\mathrm{ref}} \,\|\, p_\theta)` per answer token, mean over tokens, then sequences."""
    p = torch.log_softmax(reference.logits, dim=1)
    q = torch.log_softmax(out.logits, dim=1)
    return out.mean((p.exp() * (p - q)).sum(dim=1))
