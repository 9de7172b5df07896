r"""Rank editing in the vocabulary space (REVS).

A neuron of an MLP writes one vector, and the head reads any vector as logits over the vocabulary. REVS finds the
neurons that speak for the rarest tokens of a secret and changes their vectors, so that each of them ranks its token low
and all other tokens as before. There is neither gradient nor training.

## Objective

Ashuach et al., in the form of their released code. With the final norm $\nu$ and the head's matrix
$E \in \mathbb R^{V \times d}$, a vector $v$ of the residual stream has the logits $E\, \nu(v)$, in which the token $t$
has the rank $\mathrm{rank}_t(v)$: how many tokens are above it. A column $w_j$ of the down-projection is edited in
logits and read back through the pseudo-inverse,

$$
w_j \leftarrow \nu^{-1}\!\left( E^{+} \left( E\, \nu(w_j) - \delta_j\, e_t \right) \right),
\qquad
b \le \mathrm{rank}_t(w_j) \le \bar b ,
$$

where $\delta_j$ begins at 10, grows by the factor 1.3 below $b$ and shrinks by 0.8 above $\bar b$. For each token, the
layers are gone through from the lowest on. At the place that predicts $t$, with the MLP's output $m = \sum_j k_j w_j$
and the state $h$ behind the block:

1. Nothing is done where $\mathrm{rank}_t(h)$ or $\mathrm{rank}_t(m)$ is low enough already.
2. Of the neurons with the highest $k_j$, those with the lowest $\mathrm{rank}_t(w_j)$ may be edited.
3. Five of them are, or more or fewer (by 1.6, 0.8 or one), until $m$ and then $h$ have ranks between bounds of theirs.

## Symbols

- $t$: of an answer, each of the `tokens` rarest tokens. A token's number stands for how rare it is.
- $k_j$: what the down-projection reads of neuron $j$ at that place. `active` neurons are looked at, of which at most
  `neurons` are edited.
- $b$, $\bar b$ and the other bounds (`neuron_bottom`, `neuron_top`, `mlp_bottom`, `mlp_top`, `residual_bottom`,
  `residual_top`): here as shares of $V$. $\nu^{-1}$ takes the mean and the length that $w_j$ had.

## Facts

- **One direction for each token.** Where $E$ has full column rank, $E^{+} E = I$, and the edit is
  $w_j \leftarrow w_j - \delta_j s_j\, \Gamma^{-1} (E^\top E)^{-1} E^\top e_t$, with the norm's gains $\Gamma$ and the
  length $s_j$ that it divides by. All neurons are moved along that direction, in every layer.
- **Other logits move as well.** Of what is asked of $t$ the share $E_t (E^\top E)^{-1} E_t^\top$ arrives, on average
  $d / V$: hence 10 and its growth. What else moves are tokens whose rows of $E$ are like $E_t$.
- **It acts wherever the neurons do**: a neuron that spoke for $t$ does so for other people's answers, too.
- **A token, not a fact.** What is demoted is a token at a place. A secret of rare tokens, such as a number, has few
  other uses; names and words have many.
- Neurons with a negative $k_j$ that rank $t$ at the bottom speak for it as well, and are not looked for.
- **On `authors`**, from 0.96 and 0.98, two tokens of each answer and at most 5, 30 or 100 neurons leave forget answers
  at 0.69, 0.39 or 0.35, and retain answers at 0.93, 0.82 or 0.79; four tokens leave 0.17 and 0.54. This collection's
  `memit` leaves 0.73 and 0.94. What inner layers show to the head falls with it, as the paper has it: from 0.88 to 0.63
  with five neurons, to 0.71 with `memit`.

## Differences

1. The bounds are those of the code's example for GPT-J, divided by its 50,400 tokens; candidates and neurons are its
   100 and 30.
2. The code's inverse for norms without a mean takes the variance for the mean square and adds the mean. Here each norm
   is inverted as it is, by what it does to vectors.
3. Ranks of an edited column are read at the logits $E \nu(w_j) - \delta_j E E^{+} e_t$. The code applies norm and head
   again, which gives the same ranks where the norm only divides and scales.
4. In the code $h$ is the sum of what came in and what attention and MLP write. Here the MLP's change is added to it.
5. Special tokens are never $t$; the code leaves them out of its targets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from reference_impls.toolkit import (
    Encoded,
    LanguageModel,
    Memory,
    Method,
    Run,
    UnlearningData,
    by_place,
    hyperparameter,
    memories,
    watched,
)

FIRST, GROWTH, SHRINKAGE, TRIALS = 10.0, 1.3, 0.8, 100
r"""How $\delta$ is searched: where it begins, its factors, and how often it is changed, as released."""


def rank(logits: Tensor, token: int) -> Tensor:
    """(n,) how many tokens have a higher logit, of (n, V)."""
    return (logits > logits[:, token, None]).sum(dim=1)


def demotions(logits: Tensor, influence: Tensor, token: int, bottom: float, top: float) -> Tensor:
    r"""(n,) $\delta$ for which each row's rank of the token is within the bounds; 0 where it is low already.

    Args:
        logits: (n, V).
        influence: (V,) how much each logit falls with $\delta$.
        token: $t$.
        bottom: the lowest rank that is allowed.
        top: the highest.
    """
    found = torch.where(rank(logits, token) < bottom, FIRST, 0.0)
    for _ in range(TRIALS):
        now = rank(logits - found[:, None] * influence, token)
        if not ((now < bottom) | (now > top)).any():
            break
        found = found * torch.where(now < bottom, GROWTH, torch.where(now > top, SHRINKAGE, 1.0))
    return found


def how_many(ranks: Callable[[int], tuple[int, int]], most: int, bounds: Sequence[tuple[float, float]]) -> int:
    """How many neurons are edited.

    Args:
        ranks: of MLP output and state, once so many are.
        most: how many there are.
        bounds: lowest and highest rank of each.
    """
    (bottom, top), (state_bottom, state_top) = bounds
    count, tried = min(5, most), set[int]()
    while True:
        written, state = ranks(count)
        if written < bottom:
            following = min(int(count * 1.6), most)
        elif written > top:
            following = min(max(int(count * 0.8), 2), most)
        elif state_bottom <= state <= state_top:
            return count
        else:
            following = min(count + 1, most) if state < state_bottom else max(count - 1, 1)
        if following in tried:
            return count
        tried.add(following)
        count = following


@dataclass(frozen=True)
class Lens:
    """The head as it reads single vectors, and back."""

    model: LanguageModel

    @property
    def head(self) -> Tensor:
        """(V, d) $E$."""
        weight: Tensor = self.model.model.get_output_embeddings().weight.detach()
        return weight.float()

    @cached_property
    def inverse(self) -> Tensor:
        r"""(d, d) $(E^\top E)^{+}$, with which $E^\top$ is the pseudo-inverse, in 64 bits."""
        found: Tensor = torch.linalg.pinv(self.head.double().T @ self.head.double(), hermitian=True)
        return found

    @cached_property
    def norm(self) -> tuple[Tensor, Tensor]:
        r"""(d,) each: what the norm multiplies with, and what it adds."""
        signs = torch.ones(self.model.width, device=self.model.device)
        signs[1::2] = -1
        shift, scaled = self.model.normed(torch.stack([torch.zeros_like(signs), signs]))
        return (scaled - shift) * signs, shift

    def logits(self, vectors: Tensor) -> Tensor:
        r"""(n, V) $E\, \nu(v)$."""
        return self.model.normed(vectors) @ self.head.T

    def direction(self, token: int) -> Tensor:
        """(d,) $E^+ e_t$."""
        found: Tensor = self.inverse @ self.head[token].double()
        return found.float()

    def back(self, vectors: Tensor, change: Tensor) -> Tensor:
        """(n, d) By how much vectors move when what the norm makes of them moves by (d,) ``change``, on their scale."""
        gain, shift = self.norm
        whitened = (self.model.normed(vectors) - shift) / gain
        lengths = (vectors * whitened).sum(dim=1) / whitened.square().sum(dim=1)
        return lengths[:, None] * change / gain


@dataclass(frozen=True)
class REVS(Method):
    """Demote the rarest tokens of every answer, neuron by neuron."""

    paper = "ashuach2024revs"
    acts_on = "weights"
    retain = "unused"
    trains = "nothing"
    parts = ("memories",)

    tokens: int = hyperparameter(
        2,
        "how many of an answer's tokens are demoted",
        source="paper: two",
        minimum=1,
        trade_off=(1, 2, 4, 8, 16),
    )
    neurons: int = hyperparameter(
        30,
        "how many neurons of a layer are edited for a token, at most",
        source="released code, GPT-J",
        minimum=1,
    )
    active: int = hyperparameter(
        100, "how many of the most active neurons are candidates", source="released code", minimum=1
    )
    neuron_bottom: float = hyperparameter(
        0.6, "b, lowest rank of an edited neuron, relative to V", source="code, GPT-J", minimum=0, maximum=1
    )
    neuron_top: float = hyperparameter(0.9, "its highest rank", source="code, GPT-J", minimum=0, maximum=1)
    mlp_bottom: float = hyperparameter(
        0.02, "lowest rank of an MLP's output", source="code, GPT-J", minimum=0, maximum=1
    )
    mlp_top: float = hyperparameter(0.9, "its highest rank", source="code, GPT-J", minimum=0, maximum=1)
    residual_bottom: float = hyperparameter(0.02, "lowest rank of a state", source="code, GPT-J", minimum=0, maximum=1)
    residual_top: float = hyperparameter(0.2, "its highest rank", source="code, GPT-J", minimum=0, maximum=1)

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Answer by answer, token by token, layer by layer."""
        lens, layers = Lens(model), memories(model, range(model.layers))
        for done, pair in enumerate(data.forget):
            batch = model.encode([pair])
            for place, token in rarest(batch, self.tokens, model.tokenizer.all_special_ids):
                for memory, block in zip(layers, model.blocks, strict=True):
                    self.demote(lens, memory, block, batch, place, token)
            run.progress("demoting tokens", done + 1, len(data.forget))
        return model

    def demote(self, lens: Lens, memory: Memory, block: nn.Module, batch: Encoded, place: int, token: int) -> None:
        """Edit the neurons of one layer so that it does not speak for a token at a place."""
        size = len(lens.head)
        neuron, mlp, residual = (
            (bottom * size, top * size)
            for bottom, top in (
                (self.neuron_bottom, self.neuron_top),
                (self.mlp_bottom, self.mlp_top),
                (self.residual_bottom, self.residual_top),
            )
        )
        with watched([memory.module]) as seen:
            (states,) = lens.model.outputs(batch, [block])
        keys, written = (by_place(one, batch.input_ids.shape)[0, place].float() for one in seen[memory.module])
        both = torch.stack([written, states[0, place].float()])
        now, state = rank(lens.logits(both), token).tolist()
        if state >= residual[0] or now >= mlp[1]:
            return
        active = keys.topk(min(self.active, len(keys))).indices
        columns = memory.weight[:, active].T.float()
        logits = lens.logits(columns)
        best = rank(logits, token).argsort(stable=True)[: self.neurons]
        chosen, direction = active[best], lens.direction(token)
        lowered = demotions(logits[best], lens.head @ direction, token, *neuron)
        changes = -lowered[:, None] * lens.back(columns[best], direction)
        shifts = (keys[chosen, None] * changes).cumsum(dim=0)

        def ranks(count: int) -> tuple[int, int]:
            now, state = rank(lens.logits(both + shifts[count - 1]), token).tolist()
            return now, state

        count = how_many(ranks, len(chosen), (mlp, residual))
        memory.weight[:, chosen[:count]] += changes[:count].T.to(memory.weight.dtype)


def rarest(batch: Encoded, count: int, special: Collection[int]) -> list[tuple[int, int]]:
    """Where the rarest tokens of a lone answer are predicted, and which they are, the rarest first."""
    _, places = batch.supervised
    tokens = batch.input_ids[0, places + 1].tolist()
    sites = [(place, token) for place, token in zip(places.tolist(), tokens, strict=True) if token not in special]
    return sorted(sites, key=lambda site: -site[1])[:count]
