r"""Attention smoothing unlearning (ASU).

A fact is found by looking at few tokens: the name in the question, the word before. Let the model before unlearning
look less sharply, with the same weights, and it still writes sentences but mixes up the facts. This is the teacher on
the forget set, and the model learns to say, looking sharply, what the teacher says.

## Objective

Zare Zade et al. (the forget-teacher and the objective of their method section), with $\mathcal L_r$ one of two terms:

$$
\mathcal L(\theta) = \gamma\, \mathrm{KL}_{\mathcal D_f}\big(p_{\theta_0, \tau} \,\|\, p_\theta\big) + \alpha\,
\mathcal L_r(\theta),
\qquad
\mathcal L_r = L(\mathcal D_r; \theta) \ \text{(GD)} \quad\text{or}\quad
\mathrm{KL}_{\mathcal D_r}\big(p_{\theta_0} \,\|\, p_\theta\big) \ \text{(KL)},
$$

$$
p_{\theta_0, \tau}: \quad \mathrm{softmax}\!\left(\frac{Q K^\top}{\tau \sqrt{d_k}}\right) V
\quad \text{in the attention of the blocks chosen.}
$$

## Symbols

- $\theta_0$: the model before unlearning; $p_{\theta_0, \tau}$: the same, attending at the temperature $\tau$
  (`temperature`) in the blocks from `shallow` to `deep`, as fractions of the depth. The model that learns attends as it
  always did.
- $\mathrm{KL}_{\mathcal D}$: the divergence per token of a set's answers; $L$: their mean negative log-likelihood.
- $\gamma$ (`forget_weight`), $\alpha$ (`retain_weight`): weights; `retain_loss` says which $\mathcal L_r$ it is.

## Facts

- **It converges**: no term is below 0, and the forget term is 0 where the model says what the teacher says.
- **The temperature sets where it ends.** At $\tau = 1$ the teacher is the model before, and loss and gradient of the
  forget term are 0 at the start. For $\tau \to \infty$ every visible token counts alike, and the attention's output is
  the mean of their values. A teacher that still knows an answer caps its forgetting, however long one trains.
- The teacher has no weights of its own; masked tokens stay masked, since scores are divided before the mask is added.
- The gradient at the logits is $p_\theta - p_{\theta_0, \tau}$, as with any forward divergence: bounded by 1 in each
  entry. Unlike `undial`, the teacher is not told which token is the true one.
- Smoothing needs attention with a factor on its scores. Where scores are capped as well (Gemma 2), they are divided
  before they are capped.

## Differences

1. The released code for TOFU weighs the forget term with 0.1, its configuration for OpenUnlearning with 1; the first is
   taken here.
2. The likelihood of retain answers is a mean over answers; the released code averages over all tokens of the batch.
   Its retain divergence on TOFU includes the places of the prompt and of padding; here it is per answer token.
3. The combination with refusals, which the released code has (their first tokens are left to the refusal), is not in
   this file.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, hyperparameter, mean_kl, mean_nll, smoothed


@dataclass(frozen=True)
class ASU(LossMethod):
    """Distil from the model before unlearning with smoothed attention, and hold the retain set."""

    paper = "zade2026attention"
    acts_on = "loss"
    reference = "model"
    retain = "optional"
    parts = ("attention",)
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 32,
        "weight_decay": 0.01,
        "source": "released code, TOFU with Llama-2-7B-chat, two processes",
    }

    temperature: float = hyperparameter(
        2.3,
        "τ, of the teacher's attention: 1 changes nothing",
        source="released code, TOFU",
        minimum=1,
        trade_off=(2.3, 3.0, 4.0, 6.0),
    )
    retain_weight: float = hyperparameter(1.0, "α, weight of the retain term", source="released code, TOFU", minimum=0)
    forget_weight: float = hyperparameter(0.1, "γ, weight of the forget term", source="released code, TOFU", above=0)
    retain_loss: str = hyperparameter(
        "likelihood",
        "what holds the retain set",
        source="paper, ASU with GD or KL",
        choices=("likelihood", "divergence"),
    )
    shallow: float = hyperparameter(
        0.0, "depth of the first block that is smoothed", source="released code", minimum=0, maximum=1
    )
    deep: float = hyperparameter(1.0, "depth of the last", source="released code: all blocks", minimum=0, maximum=1)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        with torch.no_grad(), smoothed(batch.before, self.temperature, self.shallow, self.deep):
            (teacher,) = batch.before.token_logits(batch.forget)
        forget, retain = model.token_logits(batch.forget, batch.retain)
        if self.retain_loss == "divergence":
            (before,) = batch.before.token_logits(batch.retain)
            held = mean_kl(before, retain)
        else:
            held = mean_nll(retain)
        return self.forget_weight * mean_kl(teacher, forget) + self.retain_weight * held
