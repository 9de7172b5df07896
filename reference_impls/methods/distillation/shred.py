r"""Retain-set-free unlearning via self-distillation with logit demotion (SHRED).

Of an answer to forget, take the few tokens that surprised the model before unlearning most: they hold the facts. There
the true token is demoted to the last of the likeliest ones; everywhere else the model is to say what it said. So the
forget set brings what holds the rest.

## Objective

Hu et al.: with $\theta_0$ the model before unlearning and $z^0_t$ its logits at the place that predicts $y_t$,

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_t
\mathrm{KL}\big( \mathrm{softmax}_{K_t}(\tilde z_t) \,\|\, \mathrm{softmax}_{K_t}(z^\theta_t) \big),
\qquad
\tilde z_{t,v} = \begin{cases} \min_{u \in K_t} z^0_{t,u} & v = y_t,\; t \in S \\ z^0_{t,v} & \text{else.} \end{cases}
$$

## Symbols

- $S$: the share $P$ (`share`) of the answer's tokens, behind the first `skipped` ones, to which $\theta_0$ gives the
  least probability: the forget places. All others are anchors.
- $K_t$: the $K$ tokens (`top`) that $\theta_0$ holds for likeliest at this place, $y_t$ always among them.
  $\mathrm{softmax}_{K_t}$ is over these alone.

## Facts

- **With $P = 0$ the loss is 0 at the start and nothing moves.** With $P = 1$ it is `undial` with a $\beta$ for each
  place, just enough to come last of $K$, and blind for all other tokens.
- **It converges**: the gradient at the logits of $K_t$ is the difference of the two distributions, 0 where they agree.
  The true token ends as likely as the $K$-th, and the second choice takes its place.
- **One loss forgets and keeps**; at the anchors it is 0 at the start, as the divergence of `kl-min` is.
- **Surprise points to facts as long as there is any.** An answer known by heart has all tokens near 1, and their order
  says little.

## Differences

1. The paper's formulas were out of our reach. Its page and abstract tell the two stages, the demotion and the
   divergence on the top $K$; how far a token is demoted, $K$, and that the student is normalized on $K_t$, too, are
   our reading.
2. Its page excludes leading tokens that are context alone; here these are the prompt, and `skipped` is 0.
3. The mean is over an answer's tokens, then over answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, TokenLogits, by_token, hyperparameter


def forget_places(before: TokenLogits, share: float, skipped: int) -> Tensor:
    r"""(N,) which tokens of a batch's answers are in $S$."""
    counts = torch.bincount(before.sequence, minlength=before.sequences)
    first = counts.cumsum(dim=0) - counts
    leading = torch.arange(len(before.sequence), device=before.sequence.device) - first[before.sequence] < skipped
    surprise = before.token_logprobs().masked_fill(leading, 1.0)
    order = surprise.argsort(stable=True)
    order = order[before.sequence[order].argsort(stable=True)]  # answer by answer, the least likely first
    rank = torch.empty_like(order).scatter(0, order, torch.arange(len(order), device=order.device))
    wanted = torch.ceil(share * (counts - skipped).clamp(min=0))
    return rank - first[before.sequence] < wanted[before.sequence]


def shred_loss(before: TokenLogits, out: TokenLogits, forgotten: Tensor, top: int) -> Tensor:
    r"""() $\mathcal L$ from logits of both models at answers to forget and (N,) whether $t \in S$."""

    def divergence(then: Tensor, now: Tensor, true: Tensor, gone: Tensor) -> Tensor:
        chosen = then.scatter(1, true[:, None], torch.inf).topk(min(top, then.shape[1]), dim=1).indices
        target, own = then.gather(1, chosen), torch.log_softmax(now.gather(1, chosen), dim=1)
        last = target.min(dim=1, keepdim=True).values
        demoted = torch.where((chosen == true[:, None]) & gone[:, None], last, target)
        logprobs = torch.log_softmax(demoted, dim=1)
        return (logprobs.exp() * (logprobs - own)).sum(dim=1)

    return out.mean(by_token(divergence, (before, out), out.targets, forgotten))


@dataclass(frozen=True)
class SHRED(LossMethod):
    """Demote the true token where it surprises, and hold all other places."""

    paper = "hu2026shred"
    acts_on = "loss"
    reference = "model"
    retain = "unused"
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 8,
        "source": "a third party's run on Hubble-1B (hf.co/Harsh01012/hubble-1b-shred)",
    }

    share: float = hyperparameter(
        0.25,
        "P, share of tokens to forget",
        source="ours; a third party's run: 0.15",
        minimum=0,
        maximum=1,
        trade_off=(0.1, 0.25, 0.5, 0.75, 1.0),
    )
    top: int = hyperparameter(20, "K, tokens of a target", source="ours", minimum=2)
    skipped: int = hyperparameter(0, "tokens at the beginning that are anchors", source="ours", minimum=0)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch."""
        with torch.no_grad():
            (before,) = batch.before.token_logits(batch.forget)
            forgotten = forget_places(before, self.share, self.skipped)
        (out,) = model.token_logits(batch.forget)
        return shred_loss(before, out, forgotten, self.top)
