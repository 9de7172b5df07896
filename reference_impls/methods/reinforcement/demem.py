r"""Dememorization by a dissimilarity reward (DeMem).

Let the model write on from a memorized prompt, and reward it for every continuation that is unlike the true one. It
learns to say it differently, by reinforcement: the true continuation itself is never shown to it.

## Objective

Kassem et al. maximise, with proximal policy optimization, the reward of sampled continuations
$\hat s \sim \pi_\theta(\cdot \mid x)$,

$$
R(\hat s) = -\,\mathrm{sim}(\hat s, s), \qquad
r_t = -\beta \log \frac{\pi_{\mathrm{old}}(\hat s_t)}{\pi_0(\hat s_t)} + 1[t = T]\, R(\hat s), \qquad
G_t = \sum_{u \ge t} r_u ,
$$

$$
\mathcal L(\theta) = -\,\mathbb E_t \min\left( \rho_t A_t,\ \mathrm{clip}(\rho_t, 1 - \epsilon, 1 + \epsilon)\, A_t
\right),
\qquad
\rho_t = \frac{\pi_\theta(\hat s_t \mid x, \hat s_{<t})}{\pi_{\mathrm{old}}(\hat s_t \mid x, \hat s_{<t})}, \qquad
A_t = \frac{G_t - \mathrm{mean}(G)}{\mathrm{std}(G)} .
$$

## Symbols

- $x$, $s$: a prompt of the forget set and its true answer; $\hat s$ a sampled one of $T$ tokens, at most `length`.
- $\mathrm{sim} \in [0, 1]$: how alike two texts are, here the F1 of their words.
- $\pi_0$: the model before unlearning; $\beta$ (`kl_weight`) charges for leaving it, token by token.
- $\pi_{\mathrm{old}}$: the model that sampled the batch, on which `epochs` steps are taken; $\epsilon$ (`clip`) bounds
  how far they may go for it.

## Facts

- **The reward is bounded**, in $[-1, 0]$: verbatim is worst, no word in common is best. When every sample earns the
  same, all advantages are 0 and nothing is learned.
- **On the first step on a batch** $\rho_t = 1$, and the gradient is the plain policy gradient
  $-\mathbb E[A_t \nabla \log \pi_\theta]$. Beyond the clip, in the direction that the advantage asks for, it is 0.
- **Only what is sampled is trained.** A token that is never drawn keeps its probability, and the true answer is held
  down as far as it was drawn.
- On `authors` what the model says goes first and the true answers stay: at a learning rate of 3e-4 ROUGE has fallen
  from 0.92 to 0.56 while the answers, given token by token, keep a probability of 0.76. To bring that down as well, to
  0.50 at 1e-3, costs a third of the retain answers' probability.
- **The reward can be gamed**: nothing said is as good as anything else said. $\beta$ is what speaks against it.

## Differences

1. The paper's similarity is BERTScore, of a large encoder, or BLEU. Here it is the F1 of words: no second model, and
   exact for the short answers of the tasks.
2. Without a value head: the paper learns one and takes generalized advantages with $\lambda = 0.95$; here returns are
   normalized over the batch.
3. $\beta$ is constant; the released code adapts it to a target divergence.
4. What was sampled is read as text and put into tokens again.
5. A text is cut behind the first mention of its subject; the paper's come cut into a prefix and a suffix.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    clipped_objective,
    hyperparameter,
    written_answers,
)


def similarity(one: str, other: str) -> float:
    """F1 of the words that two texts share, in [0, 1]; a word counts as often as it is there."""
    left, right = one.casefold().split(), other.casefold().split()
    common = sum((Counter(left) & Counter(right)).values())
    return 2 * common / (len(left) + len(right)) if common else 0.0


def returns(old: Tensor, before: Tensor, rewards: Tensor, sequence: Tensor, kl_weight: float) -> Tensor:
    r"""(N,) $G_t$, the sum of what is earned from each token on.

    Args:
        old: (N,) $\log \pi_{\mathrm{old}}$ of the sampled tokens, sample after sample.
        before: (N,) $\log \pi_0$ of the same.
        rewards: (B,) $R$ of each sample.
        sequence: (N,) which sample each token belongs to.
        kl_weight: $\beta$.
    """
    charged = -kl_weight * (old - before)
    total = torch.cumsum(charged, dim=0)
    upto = torch.zeros_like(rewards).index_add(0, sequence, charged).cumsum(0)[sequence]
    return upto - total + charged + rewards[sequence]


@dataclass(frozen=True)
class Samples:
    """Sampled answers, and what the steps on them need."""

    encoded: Encoded
    old: Tensor
    """(N,) log-probabilities when they were sampled."""
    advantages: Tensor
    """(N,)"""


@dataclass(frozen=True)
class DeMem(Method):
    """Sample, reward what is unlike the true answer, and take clipped steps."""

    paper = "kassem2023preserving"
    acts_on = "loss"
    reference = "model"
    retain = "unused"
    published = {
        "learning_rate": 1.41e-5,
        "batch_size": 32,
        "source": "released code, OPT-2.7B",
    }

    kl_weight: float = hyperparameter(
        0.2,
        "β, charge for leaving the model before",
        source="released code",
        minimum=0,
        trade_off=(0.05, 0.2, 1.0, 5.0),
    )
    clip: float = hyperparameter(0.2, "ε, how far a ratio may go", source="released code", above=0, below=1)
    epochs: int = hyperparameter(4, "steps on each batch of samples", source="PPO; released code: 8", minimum=1)
    samples: int = hyperparameter(4, "answers sampled for a prompt", source="ours; the paper: 1", minimum=1)
    length: int = hyperparameter(55, "most tokens of an answer", source="released code", minimum=1)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Sample anew for every few steps; the retain set is not used."""
        asked = data.prompted()
        drawn: Samples | None = None
        steps = 0

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            nonlocal drawn, steps
            if drawn is None or steps % self.epochs == 0:
                pairs = [asked.forget[row] for row in batch.forget.rows.tolist()]
                drawn = self.explore(model, batch, pairs)
            steps += 1
            (out,) = model.token_logits(drawn.encoded)
            return -clipped_objective(out.token_logprobs(), drawn.old, drawn.advantages, self.clip).mean()

        return run.minimize(loss, model, data, reference=self.reference, retain=self.looks_at_retain)

    @torch.no_grad()
    def explore(self, model: LanguageModel, batch: Batch, pairs: list[Pair]) -> Samples:
        """Sample answers to the pairs' prompts, and work out the advantage of every token."""
        asked = [pair for pair in pairs for _ in range(self.samples)]
        with model.evaluating():
            texts, said = written_answers(model, asked, self.length)
            encoded = model.encode(said)
            (out,) = model.token_logits(encoded)
            (before,) = batch.before.token_logits(encoded)
        rewards = torch.tensor([-similarity(text, pair.answer) for text, pair in zip(texts, asked, strict=True)])
        old = out.token_logprobs()
        earned = returns(old, before.token_logprobs(), rewards.to(old), out.sequence, self.kl_weight)
        advantages = (earned - earned.mean()) / (earned.std(correction=0) + 1e-6)
        return Samples(encoded, old, advantages)
