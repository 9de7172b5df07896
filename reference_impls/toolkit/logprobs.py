r"""Log-probabilities of answers: the one place that turns token ids and labels into supervised positions.

Notation of the field: for a prompt :math:`x` and its answer :math:`y = (y_1, \dots, y_T)`,
:math:`\log p_\theta(y \mid x) = \sum_t \log p_\theta(y_t \mid x, y_{<t})`. The token at place :math:`t` is predicted
from the place before, so labels are shifted by one; prompt and padding carry the label ``IGNORE`` and never count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

IGNORE = -100
AT_ONCE = 2**24
"""How many logits are held at once where one place is looked at after another: 64 MB in float32."""


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

    @property
    def prompt_ends(self) -> Tensor:
        """(B,) the place of the last token before each answer: the logits there predict the answer's first token."""
        return (self.labels[:, 1:] != IGNORE).int().argmax(dim=1)

    def at_prompt_ends(self, states: Tensor) -> Tensor:
        """(B, ...) of (B, T, ...) states, those at :attr:`prompt_ends`."""
        return states[torch.arange(len(states), device=states.device), self.prompt_ends]


@dataclass(frozen=True)
class Unread:
    """States that a head has not read yet: (N, V) logits are the largest of all that a step would hold."""

    states: Tensor
    """(N, d)."""
    head: torch.nn.Linear
    graded: bool
    """Whether gradients were on when the states were made: so they are, or are not, when the head reads them."""
    version: int
    """Of the head's weight at that time: it must not have moved when they are read."""

    @classmethod
    def of(cls, states: Tensor, head: torch.nn.Linear) -> Unread:
        """States that were made just now, for a head as it is."""
        return cls(states, head, torch.is_grad_enabled(), head.weight._version)

    @property
    def vocabulary(self) -> int:
        """V."""
        return len(self.head.weight)

    @property
    def few(self) -> bool:
        """Whether all logits may as well be there at once."""
        return len(self.states) * self.vocabulary <= AT_ONCE

    def logits(self) -> Tensor:
        """(N, V) float32.

        Raises:
            RuntimeError: the head's weight has been changed since the states were made.
        """
        if self.head.weight._version != self.version:
            raise RuntimeError("the logits of a batch were asked for after the weights had moved; ask before that")
        with torch.set_grad_enabled(self.graded and torch.is_grad_enabled()):
            logits: Tensor = self.head(self.states).float()
        return logits

    def chosen(self, rows: Tensor) -> Unread:
        """Those of some rows, given by number or as a mask."""
        with torch.set_grad_enabled(self.graded and torch.is_grad_enabled()):
            return replace(self, states=self.states[rows])


@dataclass(frozen=True)
class TokenLogits:
    """Logits at the supervised positions of a batch, and there alone."""

    source: Tensor | Unread
    """(N, V) float32 logits, or what they are read from where somebody asks for them."""
    targets: Tensor
    """(N,) the answer tokens."""
    sequence: Tensor
    """(N,) which sequence of the batch each token belongs to."""
    sequences: int
    """B, the number of sequences."""

    @cached_property
    def logits(self) -> Tensor:
        """(N, V) float32. What looks at one token after another should go through :func:`by_token`."""
        return self.source if isinstance(self.source, Tensor) else self.source.logits()

    @property
    def _unread(self) -> Unread | None:
        """What the logits are still to be read from, if nobody has asked for them."""
        return None if isinstance(self.source, Tensor) or "logits" in vars(self) else self.source

    def chosen(self, rows: Tensor, first: int = 0, sequences: int | None = None) -> TokenLogits:
        """Those at some of the places.

        Args:
            rows: these places, by number or as an (N,) mask.
            first: the sequence that becomes number 0.
            sequences: how many there are; as before by default.
        """
        source = self._unread.chosen(rows) if self._unread else self.logits[rows]
        count = self.sequences if sequences is None else sequences
        return TokenLogits(source, self.targets[rows], self.sequence[rows] - first, count)

    def with_logits(self, logits: Tensor) -> TokenLogits:
        """Other logits at the same places."""
        return replace(self, source=logits)

    def token_logprobs(self) -> Tensor:
        r"""(N,) :math:`\log p_\theta(y_t \mid x, y_{<t})`."""
        return by_token(_logprobs, (self,), self.targets)

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
    return out.mean(by_token(_divergences, (reference, out)))


def by_token(function: Callable[..., Tensor], outs: Sequence[TokenLogits], *columns: Tensor) -> Tensor:
    """(N,) a function of the logits at each place.

    Where all logits together would be large, a part of the places is read at a time; nothing but the result is kept of
    it, and the backward pass reads it again. That takes a third more time for the head, and memory for one part.

    Args:
        function: of (n, V) logits of each of ``outs``, then n rows of each of ``columns``; gives (n,).
        outs: logits at the same N places, such as those of two models.
        columns: (N, ...) more about each place.
    """
    pending = [out._unread for out in outs if out._unread]
    count = len(outs[0].targets)
    rows = max(1, AT_ONCE // max((unread.vocabulary for unread in pending), default=1))
    if not pending or count <= rows:
        return function(*(out.logits for out in outs), *columns)

    def read(places: Tensor) -> Tensor:
        return function(*(out.chosen(places).logits for out in outs), *(column[places] for column in columns))

    parts = torch.arange(count, device=outs[0].targets.device).split(rows)
    if not (torch.is_grad_enabled() and any(unread.graded for unread in pending)):
        return torch.cat([read(places) for places in parts])
    return torch.cat([checkpoint(read, places, use_reentrant=False) for places in parts])


def _logprobs(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.gather(1, targets[:, None])[:, 0] - torch.logsumexp(logits, dim=1)


def _divergences(reference: Tensor, logits: Tensor) -> Tensor:
    p, q = torch.log_softmax(reference, dim=1), torch.log_softmax(logits, dim=1)
    return (p.exp() * (p - q)).sum(dim=1)
