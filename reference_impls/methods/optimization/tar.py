r"""Tampering attack resistance (TAR).

Unlearn so that fine-tuning does not bring it back. After a first safeguard, each step lets an attacker fine-tune a copy
of the model on what is to be forgotten, looks along his way at how he would answer, and moves the model he started
from so that he comes out knowing nothing.

## Objective

Tamirisa et al., first the safeguard, with a random vector $r_v$ for every token $v$ of the vocabulary,

$$
\mathcal L_{\mathrm{map}} = \mathbb E_{x \sim \mathcal D_f} \operatorname*{mean}_{\ell, t}
\big( 1 - | \cos(h^{(\ell)}_t, r_{x_t}) | \big) + L(\mathcal D_r; \theta),
$$

then tamper resistance, where $\mathrm{attack}_k(\theta)$ are the weights after $k$ of an attacker's $K$ steps:

$$
\min_\theta\ \lambda\, \mathbb E_{\mathrm{attack}} \sum_{k} e^{s (k - K)}\,
\mathcal L_{\mathrm{TR}}\big(\mathrm{attack}_k(\theta)\big)
+ \alpha \Big( L(\mathcal D_r; \theta)
+ \mathbb E_{x \sim \mathcal D_r} \operatorname*{mean}_{\ell, t} \lVert h^{(\ell)}_t - h^{(\ell)}_{0, t} \rVert_2 \Big).
$$

## Symbols

- $L$: the mean negative log-likelihood of a set's answers; an attack lowers it on forget answers, or on retain answers
  up to a step drawn at random and on forget answers from there.
- $\mathcal L_{\mathrm{TR}}$: minus the entropy of what is expected at tokens of forget answers that the attacker did
  not train on; $\lambda$ (`resistance`).
- $K$ (`attack_steps`); one in `every` of them is looked at, and the late ones count more (`schedule`, $s$).
- $h^{(\ell)}_t$: the state behind block $\ell$; $h_0$ that of the model before unlearning. $\alpha$: `retain_weight`.
- The attacker's rate is `adversary_rate`, half of it, or a twentieth. The first `mapping` of the steps are the
  safeguard's.

## Facts

- **First-order meta-learning**: the gradient of $\mathcal L_{\mathrm{TR}}$ is taken at the attacked weights and applied
  at those before, as if the attack were a shift that does not depend on $\theta$.
- **Entropy and not the likelihood**: of the losses that could be kept high under attack the paper prefers this one. It
  names no answer.
- **It resists what it has met**: $K$ steps at the attacker's rates. On `authors`, with rates of 3e-4, forget answers go
  from 0.96 to 0.56 at no cost, and ten steps on half of them leave the other half at 0.66.
- **The safeguard is a beginning, no more.** Without the attacks what it led astray is back where it was once training
  goes on with what is kept: 0.96 on `authors`.
- **A floor**: $\mathcal L_{\mathrm{TR}} \ge -\log V$ with $V$ tokens in the vocabulary.
- `mudman` keeps one attacker who is never far ahead; here each step has a new one, with an optimizer of his own.
- A step costs $K$ steps of the attacker.

## Differences

1. The paper attacks with $K = 64$ steps for 750 steps of training; here it is as much as small models need. $s$ is such
   that the first step counts as little as there.
2. The paper's attackers have two data sets of the same field; here each draws from the forget pairs that are not in the
   batch, or, where there are no others, from all.
3. The paper's form for refusals, with a preference loss in the place of the entropy, is left out.
4. The released code takes states and entropy at every token of a text; here it is those of answers, except in the
   safeguard.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    by_token,
    hyperparameter,
    mean_nll,
    mean_over_answers,
)

SWITCHING = 1 / 3
"""How many attacks begin with retain answers; they turn at a share of their steps drawn from Beta(6, 3)."""


def mapping_loss(states: list[Tensor], targets: Tensor, read: Tensor) -> Tensor:
    r"""() $1 - | \cos |$ of (B, L, d) states of several blocks to (B, L, d) targets, mean over what is read."""
    return torch.stack([1 - torch.cosine_similarity(one, targets, dim=2)[read].abs() for one in states]).mean()


def negative_entropy(out: TokenLogits) -> Tensor:
    r"""() $\mathcal L_{\mathrm{TR}}$, mean over tokens, then answers."""

    def of(logits: Tensor) -> Tensor:
        logprobs = torch.log_softmax(logits, dim=1)
        return (logprobs.exp() * logprobs).sum(dim=1)

    return out.mean(by_token(of, (out,)))


def drift(model: LanguageModel, before: LanguageModel, batch: Batch) -> Tensor:
    """() How far states of retain answers went, mean over tokens, answers and blocks."""
    then, now = (one.layer_activations(batch.retain, range(model.layers)) for one in (before, model))
    lengths = [(one - other).float().norm(dim=1) for one, other in zip(now, then, strict=True)]
    return mean_over_answers(torch.stack(lengths).mean(dim=0), batch.retain)


@dataclass(frozen=True)
class TAR(Method):
    """Learn to be attacked in vain."""

    paper = "tamirisa2024tamper"
    acts_on = "gradients"
    retain = "needed"
    copies = 2
    weighs_weights = True
    parts = ("blocks",)
    published = {
        "learning_rate": 2e-5,
        "steps": 750,
        "batch_size": 8,
        "source": "released script, biology with Llama-3-8B-Instruct",
    }

    retain_weight: float = hyperparameter(
        1.0, "α, weight of keeping", source="released script", above=0, trade_off=(1.0, 2.0, 5.0, 10.0)
    )
    resistance: float = hyperparameter(4.0, "λ, weight of the attacked loss", source="released script", minimum=0)
    attack_steps: int = hyperparameter(8, "K, steps of an attack", source="ours; paper: 64", minimum=1)
    every: int = hyperparameter(4, "of the attack's steps, one in so many counts", source="released script", minimum=1)
    schedule: float = hyperparameter(
        0.5, "s, how much more late steps count", source="ours; script: 1/16 for 64 steps", minimum=0
    )
    adversary_rate: float = hyperparameter(4e-5, "the attacker's largest rate", source="released script", minimum=0)
    mapping: float = hyperparameter(
        0.25, "share of the steps that the safeguard takes", source="ours", minimum=0, below=1
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """The safeguard, then attack after attack."""
        before, adversary, rng = model.frozen(), model.copy(), random.Random(run.seed)
        first = round(self.mapping * run.recipe.steps)
        vectors = torch.randn(model.embeddings, model.width).to(model.device)

        def safeguard(model: LanguageModel, batch: Batch) -> Tensor:
            states = model.outputs(batch.forget, list(model.blocks))
            read = batch.forget.attention_mask.bool()
            return mapping_loss(states, vectors[batch.forget.input_ids], read) + mean_nll(
                *model.token_logits(batch.retain)
            )

        def step(model: LanguageModel, batch: Batch) -> Gradient:
            loss = mean_nll(*model.token_logits(batch.retain)) + drift(model, before, batch)
            total = self.retain_weight * Gradient.of(loss, model)
            adversary.model.load_state_dict(model.model.state_dict())
            for attacked in self.attack(adversary, batch, data, run.recipe.batch_size, rng):
                total = total + Gradient(total.weights, (self.resistance * attacked).parts)
            return total

        if first:
            replace(run, recipe=replace(run.recipe, steps=first)).minimize(safeguard, model, data)
        return replace(run, recipe=replace(run.recipe, steps=run.recipe.steps - first)).minimize(step, model, data)

    def attack(
        self, adversary: LanguageModel, batch: Batch, data: UnlearningData, size: int, rng: random.Random
    ) -> list[Gradient]:
        r"""Let him train; gives the weighted gradients of $\mathcal L_{\mathrm{TR}}$ along his way."""
        known = set(batch.forget.rows.tolist())
        forget = [pair for row, pair in enumerate(data.forget) if row not in known] or list(data.forget)
        rate = self.adversary_rate * rng.choice((1.0, 0.5, 0.05))
        optimizer = torch.optim.AdamW(adversary.model.parameters(), lr=rate)
        turn = int(rng.betavariate(6, 3) * self.attack_steps) if rng.random() < SWITCHING else 0
        found = []
        for number in range(1, self.attack_steps + 1):
            pairs = list(data.retain) if number <= turn else forget
            drawn = adversary.encode(rng.sample(pairs, min(size, len(pairs))))
            Gradient.of(mean_nll(*adversary.token_logits(drawn)), adversary).hand_over()
            optimizer.step()
            if number % self.every == 0 or self.attack_steps < self.every:
                weight = math.exp(self.schedule * (number - self.attack_steps))
                found.append(weight * Gradient.of(negative_entropy(*adversary.token_logits(batch.forget)), adversary))
        return found
