r"""Orthogonal adapters behind an out-of-distribution gate (O3).

For requests that come one after another, with nothing at hand of what is to stay. Each gets an adapter of its own that
learns to refuse, held orthogonal to those before it; and each gets a gate that knows the request's own questions and
nothing else. A query for which a gate opens is answered with that adapter, as far as the gate is open; all others are
answered by the model as it was.

## Objective

Gao et al., for request $t$ with questions $x$ and answers $\tilde y$ that refuse, over the adapted layers:

$$
\mathcal L_t = \mathbb E_{x \sim \mathcal D_f^{(t)}} \big[ L(\tilde y \mid x;\ \theta_0, A_t, B_t) \big]
+ \lambda \sum_{i < t} \big\| A_i A_t^\top \big\|_F^2 ,
\qquad
h = W x + w_t(x)\, c\, B_t A_t\, x ,
$$

with, for a score $s$ of how alike a query is to the request's questions,

$$
w_t = \sigma\Big( \zeta \big( 1 - | F(s) - F(2 s_0 - s) | \big) - 2 \Big), \qquad
F(s) = \frac12 \Phi\!\Big( \frac{s - \mu_1}{\sigma_2} \Big) + \frac12 \Phi\!\Big( \frac{s - \mu_2}{\sigma_2} \Big),
\qquad s_0 = \tfrac12 (\mu_1 + \mu_2) .
$$

## Symbols

- $\theta_0$: the model, frozen; $A_t, B_t$: its adapter for request $t$, of rank $r$ (`rank`), $c = \alpha / r$
  (`alpha`); $\lambda$ (`orthogonality`); $L$ the mean negative log-likelihood.
- $s(x) = -\frac1K \sum_k d_k(x) / \bar d_k$, with $d_k$ the Mahalanobis distance of the query's mean state after block
  $k$ from those of the request's questions, and $\bar d_k$ its mean over these where each is held out. The blocks are
  those up to `depth`.
- $\mu_1$: the mean score of the request's questions; $\mu_2, \sigma_2$: mean and deviation of the scores that they
  have where they are held out, an eighth at a time; $\Phi$: the normal distribution function; $\zeta$ (`sharpness`).
- Of several gates the one that is open furthest counts; below $w = 0.3$ all are shut, as in the released code.

## Facts

- **Behind shut gates the model answers to the bit as before**, and no retain set has a part in it.
- **$w$ is 0.95 at either mean** for $\zeta = 10$ where the two lie well apart, near 1 between them and 0.12 far away.
- **A request does not touch what earlier ones left**: their adapters and gates stay as they are, and to take a request
  back, its pair is dropped. `--requests N` makes a course of them.
- **A topic is told from others, names are not.** On `hazards` (60 steps at a rate of 0.002) forget answers fall from
  1.00 to 0.07, and not one answer of any other kind changes. On `authors`, where the same is asked about everybody,
  forget answers fall from 0.96 to 0.04, and 15% of the retain questions find the gate open in part: their answers fall
  from 0.98 to 0.85. General facts stay as they were.
- **A later request does not undo an earlier one**: in a course of three on `authors` the first is at 0.06 after each.
  What adds up is gates: a request of 24 questions lets half of the retain questions in, three of them six in ten, and
  retain answers go to 0.81, 0.75 and 0.72.
- **The gate goes by how a question is put.** The other wordings of `hazards` are as far from it as any other question,
  and are answered as before (accuracy 0.99); those of `authors` are let in (0.88 of the adapter on average).
- A refusal takes longer to learn than the answer to forget: after so few steps there are fragments in its place.
- Whoever has the weights has what the model knew.

## Differences

1. The paper's gate has an encoder of its own, RoBERTa, which is trained on a request's questions with a contrastive
   loss and masked words; distances and cosines of all its layers go through a one-class SVM. Here the states are the
   model's own, of its first blocks, and the distances are averaged; the covariance is shrunk by a tenth, since it has
   more entries than there are questions.
2. Its two normal distributions are fitted to the questions that the encoder was trained on and to others of the same
   kind. A request here has too few to spare some: each is held out once.
3. The weight is the released code's, with its cut at 0.3; between 0.4 and 0.9 the code shuts the gate once more, and
   above 0.9 it loads 1.2 of the adapter. Here the weight counts as it is, rounded to tenths.
4. The code's evaluation loads the newest adapter, whichever gate is open, and its training can go on from the one
   before. Here each starts anew, and the gate that is open furthest says whose it is. The code was read in a fork.
5. The released script trains on random labels; here the answers refuse, for an answer in words has no label.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Combined,
    Kept,
    LanguageModel,
    Method,
    NamedAdapters,
    Pair,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    adapted_layers,
    adapter_weights,
    hyperparameter,
    mean_nll,
    not_adapted,
    with_refusals,
)

PARTS = 8
"""In how many parts a request's questions are held out in turn."""
SHRINKAGE = 0.1
"""How much of a covariance is taken for one that is alike in all directions."""
LEAST, LEAST_SPREAD = 1e-6, 0.02
"""What keeps distances and scores finite where all questions are alike."""
SHUT = 0.3
"""The weight below which a gate lets nothing in, as in the released code."""


def overlap(earlier: Sequence[Tensor], now: Sequence[Tensor]) -> Tensor:
    r"""() $\sum \| A_i A_t^\top \|_F^2$ over layers, from each layer's (r, inputs) factors."""
    return torch.stack([(one.detach() @ other.T).square().sum() for one, other in zip(earlier, now, strict=True)]).sum()


def mean_and_precision(states: Tensor) -> tuple[Tensor, Tensor]:
    """(K, d) the mean of (n, K, d) states, and (K, d, d) the inverse of their covariance, which is shrunk first."""
    mean = states.mean(dim=0)
    off = (states - mean).transpose(0, 1)
    covariance = off.transpose(1, 2) @ off / len(states)
    size = covariance.diagonal(dim1=1, dim2=2).mean(dim=1).clamp(min=LEAST)
    isotropic = size[:, None, None] * torch.eye(states.shape[-1])
    return mean, torch.linalg.inv(SHRINKAGE * isotropic + (1 - SHRINKAGE) * covariance)


def distances(states: Tensor, mean: Tensor, precision: Tensor) -> Tensor:
    """(n, K) Mahalanobis distances of (n, K, d) states."""
    off = states - mean
    return torch.einsum("nki,kij,nkj->nk", off, precision, off).clamp(min=0).sqrt()


@dataclass(frozen=True)
class Gate:
    """What tells a request's questions from all other queries."""

    mean: Tensor
    """(K, d)."""
    precision: Tensor
    """(K, d, d)."""
    usual: Tensor
    r"""(K,) $\bar d_k$."""
    inner: Tensor
    r"""() $\mu_1$."""
    outer: Tensor
    r"""() $\mu_2$."""
    spread: Tensor
    r"""() $\sigma_2$."""

    @classmethod
    def fitted(cls, states: Tensor, rng: random.Random) -> Gate:
        """From (n, K, d) states of a request's questions, each of which is held out once."""
        order = rng.sample(range(len(states)), len(states))
        held = torch.zeros(states.shape[:2])
        for part in (order[first::PARTS] for first in range(min(PARTS, len(order)))):
            rest = [row for row in order if row not in part] or order
            held[part] = distances(states[part], *mean_and_precision(states[rest]))
        mean, precision = mean_and_precision(states)
        usual = held.mean(dim=0).clamp(min=LEAST)
        inner, outer = (-(one / usual).mean(dim=1) for one in (distances(states, mean, precision), held))
        return cls(mean, precision, usual, inner.mean(), outer.mean(), outer.std(correction=0).clamp(LEAST_SPREAD))

    def scores(self, states: Tensor) -> Tensor:
        """(n,) $s$ of (n, K, d) states."""
        return -(distances(states, self.mean, self.precision) / self.usual).mean(dim=1)

    def weights(self, scores: Tensor, sharpness: float) -> Tensor:
        """(n,) $w_t$ of (n,) scores."""

        def below(value: Tensor) -> Tensor:
            halves: Tensor = torch.special.ndtr((value - torch.stack([self.inner, self.outer])[:, None]) / self.spread)
            return halves.mean(dim=0)

        apart = (below(scores) - below(self.inner + self.outer - scores)).abs()
        return torch.sigmoid(sharpness * (1 - apart) - 2)


@dataclass(frozen=True)
class O3(Method):
    """Train an adapter to refuse, orthogonal to the earlier ones, and fit a gate to put before it."""

    paper = "gao2024practical"
    acts_on = "loss"
    retain = "unused"
    trains = "adapters"
    copies = 1
    separate = True
    continues = True
    published = {"learning_rate": 3e-4, "epochs": 10, "batch_size": 128, "source": "released code, Llama-2-7B"}

    sharpness: float = hyperparameter(
        10.0, "ζ, how far gates open", source="code", above=0, trade_off=(5.0, 10.0, 20.0, 40.0)
    )
    orthogonality: float = hyperparameter(
        0.1, "λ, weight of the overlap with earlier adapters", source="code", minimum=0
    )
    rank: int = hyperparameter(8, "r, rank of an adapter", source="code", minimum=1)
    alpha: float = hyperparameter(16.0, "α, scaling of an adapter", source="code", above=0)
    depth: float = hyperparameter(
        0.25, "blocks that gates look at, as a fraction of all", source="ours", above=0, maximum=1
    )

    def unlearn(self, model: LanguageModel | GatedAdapters, data: UnlearningData, run: Run) -> GatedAdapters:
        """Serve a request, after those that ``model`` has served already."""
        gated = model if isinstance(model, GatedAdapters) else GatedAdapters(model, asdict(self))
        told = with_refusals(data, run.rng)
        gate = Gate.fitted(gated.states([pair.prompt for pair in told.forget]), run.rng)
        earlier = [gated.factors(number) for number in range(len(gated.gates))]
        weights = gated.admit(gate, run.seed)
        now = gated.factors(len(earlier))

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            refused = mean_nll(*model.token_logits(batch.preferred))
            return sum((self.orthogonality * overlap(before, now) for before in earlier), start=refused)

        run.minimize(loss, gated.adapted, told, weights, alternates=True, retain=False)
        run.tell(not_adapted(gated.adapted.model))
        return gated

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> GatedAdapters:
        """The model with all adapters and gates."""
        return GatedAdapters.of(model, kept)


class GatedAdapters(Wrapped):
    """A model, with an adapter and a gate for each request that was served."""

    def __init__(self, model: LanguageModel, settings: dict[str, Any]) -> None:
        self.model = model
        """As it was given."""
        self.settings = settings
        """The hyper-parameters of the method that made it."""
        self.adapted = model.copy()
        """The model with the adapters in it."""
        self.gates: list[Gate] = []
        self._adapters = NamedAdapters(self.adapted, settings["rank"], settings["alpha"])
        self._speakers: dict[tuple[int, int], UnlearnedModel] = {}
        self._opened: dict[str, tuple[float, int]] = {}

    def admit(self, gate: Gate, seed: int) -> list[Tensor]:
        """Make room for a request: put in its gate and an untrained adapter, whose weights are returned."""
        self.gates.append(gate)
        self._opened.clear()
        return self._adapters.fresh(f"request{len(self.gates) - 1}", seed)

    def factors(self, number: int) -> list[Tensor]:
        """$A_t$ of every adapted layer."""
        return [layer.down for layer in adapted_layers(self.adapted.model, f"request{number}")]

    @torch.no_grad()
    def states(self, queries: Sequence[str]) -> Tensor:
        """(n, K, d) the mean over a query's tokens of the untouched model's states after each of the first blocks."""
        blocks = list(self.model.blocks)[: max(1, round(self.settings["depth"] * self.model.layers))]
        found = []
        for query in queries:
            batch = self.model.encode([Pair(query, "", closed=False)])
            outputs = self.model.outputs(batch, blocks)
            found.append(torch.stack([states[0].float().mean(dim=0) for states in outputs]).cpu())
        return torch.stack(found)

    def opened(self, query: str) -> tuple[float, int]:
        """How far the gate is open that is open furthest, and whose it is."""
        if query not in self._opened:  # the same is asked with many an answer
            states = self.states([query])
            self._opened[query] = max(
                (float(gate.weights(gate.scores(states), self.settings["sharpness"])), number)
                for number, gate in enumerate(self.gates)
            )
        return self._opened[query]

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The model, with as much of an adapter as its gate lets in."""
        weight, number = self.opened(query if query.strip() else answer or "")
        if weight < SHUT:
            return self.model
        tenths = round(10 * weight)
        if (number, tenths) not in self._speakers:

            def voices() -> list[LanguageModel]:
                self._adapters.use(f"request{number}", tenths / 10)
                return [self.adapted]

            self._speakers[number, tenths] = Combined.of(self.adapted, voices)
        return self._speakers[number, tenths]

    def to_json(self) -> dict[str, Any]:
        """How it was made, and how many requests were served."""
        return {"settings": self.settings, "requests": len(self.gates)}

    def tensors(self) -> dict[str, Tensor]:
        """The adapters and the gates."""
        gates = {
            f"gate{number}.{field.name}": getattr(gate, field.name)
            for number, gate in enumerate(self.gates)
            for field in fields(gate)
        }
        return gates | {name: weight.detach() for name, weight in adapter_weights(self.adapted.model)}

    @classmethod
    def of(cls, model: LanguageModel, kept: Kept) -> GatedAdapters:
        """What was kept.

        Raises:
            KeyError, ValueError: it is of another model, or not all of it.
        """
        gated = cls(model, dict(kept.facts["settings"]))
        for number in range(int(kept.facts["requests"])):
            gate = Gate(**{field.name: kept.tensors[f"gate{number}.{field.name}"] for field in fields(Gate)})
            gated.admit(gate, seed=0)
        kept.put_into(adapter_weights(gated.adapted.model))
        return gated
