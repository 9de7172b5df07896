r"""Elastic robust unlearning of specific knowledge (ERU).

Prefer a refusal to the true answer by a margin, and let each question's margin stretch with how far it has come already
against the model before unlearning. Meanwhile take out of the model's states, over and over, what tells a question that
it should refuse from others, so that the answer is not just behind that one feature.

## Objective

Sui et al. mix a reward with and one without a reference model; here in the form of $\alpha$-DPO (see Differences),

$$
\mathcal L(\theta) = - \mathbb E \log \sigma\big( \beta\, [\Delta_\theta - m] \big) + \lambda\, L(\mathcal D_r; \theta),
\qquad
m = \mathrm{sg}\!\left[ \gamma + \alpha\, \frac{M - \mu}{s} \right],
\qquad
M = \Delta_\theta - \Delta_{\mathrm{ref}},
$$

with $\Delta = \frac{1}{|y_w|} \log \pi(y_w \mid x) - \frac{1}{|y_l|} \log \pi(y_l \mid x)$. In a share $p$ of the steps
$\Delta_\theta$ is that of a model whose states at every place, after each block from `depth` on, are

$$
h' = h - \hat r\, \hat r^\top h,
\qquad
r = \mathbb E_{x \sim \mathcal D_f}\, h(x) - \mathbb E_{x \sim \mathcal D_r}\, h(x) .
$$

## Symbols

- $y_w$: a refusal; $y_l$: the true answer. $\pi_{\mathrm{ref}}$: the model before unlearning.
- $\gamma$ (`margin`): how much likelier per token the refusal is to be; $\beta$ (`beta`): how soon it then stops.
- $\alpha$ (`elasticity`): how much the margin stretches with $M$, standardized; $\mu, s$: running mean and deviation of
  $M$, of which a tenth is renewed at each step. $\mathrm{sg}$: no gradient flows through it.
- $h(x)$: the state at the last token of a prompt; $r$: the refusal feature, a direction for each block, from the batch
  at hand; $\hat r$: the same of length 1. $p$ (`ablated`).
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers. $\lambda$ (`retain_weight`).

## Facts

- **$\alpha = 0$ is the rigid margin** of SimPO, which looks at no reference model. A pair that has come further than
  others is asked for more, one that lags behind for less.
- **A pair is in order only once the refusal is likelier per token than the true answer**; with `dpo` it need only be
  *less* unlikely than it was. A model that can refuse is brought to do so. One that cannot, as the embedded ones, may
  get there by letting the answer fall below a refusal that it never says either.
- An ablation costs one pass forward more. It has no inner search, other than the attack of `targeted-lat`; what it
  takes away is one direction per block, however far the states lie along it.
- **Bounded below by 0**, and $m$ moves only the point where a pair stops, not the direction in which it goes.
- On `authors`, with the rate 0.001 and $\lambda = 10$, forget answers go from 0.96 to 0.01, far below the retrained
  model's 0.45, and the utility from 0.65 to 0.59; what is said instead are pieces of refusals. With $\lambda = 1$ the
  utility is 0.54. With $p = 0$ nothing of this differs by more than 0.01: what ablation is for does not show in it.

## Differences

1. **The paper's equations were out of our reach.** Its page says: a reward between that with and that without a
   reference model, and ablation of the refusal feature while the loss is minimised; an early version, whose repository
   holds no code, had latent adversarial training in its place. The loss is that of $\alpha$-DPO (Wu et al., arXiv
   2410.10148, whose code we read), which does the former; its settings are the defaults. The ablation is plain
   projection.
2. The paper's models can refuse already. Here $r$ is, at first, only what sets the questions to forget apart; as the
   model learns to refuse just these, it becomes the refusal feature.
3. Of a plain text the beginning, up to the first mention of its subject, is the prompt, and the rest the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    changed_output,
    hyperparameter,
    mean_nll,
    with_refusals,
)

RENEWED = 0.1
"""What a step contributes to the running moments, as released by Wu et al.; they begin at 0."""
LEAST = 1e-3
"""The smallest deviation: at the start there is none."""


@dataclass
class Standing:
    r"""$\mu$ and $s$."""

    mean: float = 0.0
    deviation: float = 0.0

    def take(self, ahead: Tensor) -> None:
        """Renew both by (B,) $M$ of a batch."""
        now = (float(ahead.mean()), float(ahead.std()) if len(ahead) > 1 else 0.0)
        self.mean += RENEWED * (now[0] - self.mean)
        self.deviation += RENEWED * (now[1] - self.deviation)

    def of(self, ahead: Tensor) -> Tensor:
        """(B,) $M$, standardized."""
        return (ahead - self.mean) / max(self.deviation, LEAST)


def elastic_loss(gap: Tensor, target: Tensor, beta: float) -> Tensor:
    r"""() The first term, from (B,) $\Delta_\theta$ and (B,) $m$."""
    return -F.logsigmoid(beta * (gap - target.detach())).mean()


def without(states: Tensor, direction: Tensor) -> Tensor:
    r"""(..., d) $h'$ of states and (d,) $r$."""
    unit = F.normalize(direction, dim=0).to(states.dtype)
    return states - (states @ unit)[..., None] * unit


@torch.no_grad()
def features(model: LanguageModel, blocks: Sequence[torch.nn.Module], batch: Batch) -> list[Tensor]:
    """(d,) $r$ of each block."""

    def means(texts: Encoded) -> Tensor:
        return torch.stack([texts.at_prompt_ends(out).float().mean(dim=0) for out in model.outputs(texts, blocks)])

    return list(means(batch.forget) - means(batch.retain))


@dataclass(frozen=True)
class ERU(Method):
    """Prefer refusals by an elastic margin, with and without the refusal feature."""

    paper = "sui2025elastic"
    acts_on = "activations"
    reference = "log-probabilities"
    retain = "needed"
    parts = ("blocks",)

    beta: float = hyperparameter(2.5, "β, inverse temperature", source="α-DPO's released settings", above=0)
    margin: float = hyperparameter(0.6, "γ, least margin per token", source="α-DPO's released settings", minimum=0)
    elasticity: float = hyperparameter(0.2, "α, how the margin stretches", source="α-DPO's settings", minimum=0)
    ablated: float = hyperparameter(
        0.5, "p, share of the steps without the refusal feature", source="ours", minimum=0, maximum=1
    )
    depth: float = hyperparameter(
        0.25, "where ablation begins, as a fraction of the depth", source="ours", minimum=0, maximum=1
    )
    retain_weight: float = hyperparameter(
        1.0, "λ, weight of the retain loss", source="ours", minimum=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    refusals: int = hyperparameter(
        5, "how many refusals each question meets", source="ours, as for dpo", minimum=1, maximum=40
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Let refusals win, and in some steps without their feature."""
        standing = Standing()

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            return self.loss(model, batch, standing, run.rng.random() < self.ablated)

        prepared = with_refusals(data.prompted(), run.rng, self.refusals)
        return run.minimize(loss, model, prepared, reference=self.reference, alternates=True)

    def loss(self, model: LanguageModel, batch: Batch, standing: Standing, ablated: bool) -> Tensor:
        r"""() $\mathcal L$ of one batch, whose $M$ count for the next."""
        preferred, forget = batch.preferred, batch.forget
        assert preferred.reference is not None
        assert forget.reference is not None
        blocks = list(model.blocks)[model.layer_at(self.depth) :] if ablated else []
        with ExitStack() as stack:
            for block, direction in zip(blocks, features(model, blocks, batch) if blocks else [], strict=True):
                stack.enter_context(changed_output(block, partial(without, direction=direction)))
            wins, loses = model.token_logits(preferred, forget)
        (kept,) = model.token_logits(batch.retain)
        gap = loses.sequence_nll() - wins.sequence_nll()
        before = wins.mean_by_sequence(preferred.reference) - loses.mean_by_sequence(forget.reference)
        ahead = gap.detach() - before
        standing.take(ahead)
        target = self.margin + self.elasticity * standing.of(ahead)
        return elastic_loss(gap, target, self.beta) + self.retain_weight * mean_nll(kept)
