r"""Direct preference optimization on refusals (IDK-DPO).

Show the model two answers to each question to forget, a refusal to prefer and the true answer to reject, and train it
with DPO's loss: what counts is only how much more it has come to prefer the one over the other.

## Objective

Rafailov et al. (equation 7), with the scale and the retain term that the unlearning literature gives it:

$$
\mathcal L_{\mathrm{DPO}}(\theta) = -\,\mathbb E_{(x, y_w, y_l)} \log \sigma(\beta h),
\qquad
h = \log \frac{\pi_\theta(y_w \mid x)}{\pi_{\mathrm{ref}}(y_w \mid x)}
- \log \frac{\pi_\theta(y_l \mid x)}{\pi_{\mathrm{ref}}(y_l \mid x)},
$$

$$
\mathcal L(\theta) = \frac{2}{\beta}\, \mathcal L_{\mathrm{DPO}}(\theta) + \alpha\, L(\mathcal D_r; \theta).
$$

## Symbols

- $y_w$: the answer to prefer, a refusal ("I don't know."); $y_l$: the true answer, to reject.
- $\pi_\theta(y \mid x)$: the probability of the *whole* answer, so $\log \pi_\theta$ is a sum over its tokens.
- $\pi_{\mathrm{ref}}$: the model before unlearning; its log-probabilities never change and are computed once.
- $\beta$ (`beta`): how soon a pair that is already in order stops pulling.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`).

## Facts

- **Gradient** $\nabla \mathcal L_{\mathrm{DPO}} = -\beta\, \mathbb E\left[\sigma(-\beta h)\, \nabla h\right]$, where
  $\nabla h = \nabla \log \pi_\theta(y_w \mid x) - \nabla \log \pi_\theta(y_l \mid x)$. At the start $h = 0$: the loss
  is $\log 2$, the weight $\frac12$, and with the factor $\frac{2}{\beta}$ the first step is fine-tuning on the
  refusal plus ascent on the true answer, both summed over tokens.
- **NPO is what is left without $y_w$**, exactly so with the factor $\frac{2}{\beta}$.
- Bounded below by 0. **Only the difference is constrained**: once refusals are likely, the pair is in order and the
  true answer is left where it is; and both may fall together.
- **A refusal that starts out unlikely settles the pair alone**: it only has to become *less* unlikely until $\beta h$
  is a few units, far from ever being said, and then nothing pulls. The embedded model never read a refusal; at
  $\beta = 0.1$ it goes on answering, with half of the true answer's words (ROUGE-L 0.51 after 0.96), and
  hardly anything else suffers. At $\beta = 0.02$ it begins to refuse, and the true answers fall to nothing (1e-5 per
  token and less).

## Differences

1. Rafailov et al. train on human preferences, without the factor $\frac{2}{\beta}$ and without a retain term (here
   $\alpha = 0$). TOFU's code uses the loss on refusals like that; NPO's and later ones add both.
2. Each question meets its own few refusals (`refusals`) over and over, so that their reference log-probabilities are
   computed once; released codes draw from all 100 at every access.
3. Of a plain text the beginning, up to the first mention of its subject, is the prompt, and the rest the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    LossMethod,
    Run,
    UnlearningData,
    dpo_with_retain,
    hyperparameter,
    with_refusals,
)


@dataclass(frozen=True)
class DPO(LossMethod):
    r"""Minimise $\frac{2}{\beta}\mathcal L_{\mathrm{DPO}}$ on refusals plus the retain loss."""

    paper = "rafailov2023direct"
    acts_on = "loss"
    reference = "log-probabilities"
    alternates = True
    retain = "optional"
    published = {
        "learning_rate": 5e-6,
        "epochs": 3,
        "batch_size": 8,
        "source": "released code of RWKU (arXiv 2406.10890), Llama-3-8B-Instruct",
    }

    beta: float = hyperparameter(
        0.1, "β, inverse temperature: larger stops sooner", source="paper; TOFU's and NPO's code", above=0
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss",
        source="released code of NPO (dpo_grad_diff)",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )
    refusals: int = hyperparameter(
        5, "how many refusals each question meets", source="TOFU: one per epoch, five epochs", minimum=1, maximum=40
    )

    def prepare(self, model: LanguageModel, data: UnlearningData, run: Run) -> UnlearningData:
        """Let refusals be the answers to prefer."""
        return with_refusals(data, run.rng, self.refusals)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch; refusals, true answers and retain sequences in one forward pass."""
        return dpo_with_retain(model, batch, self.beta, self.retain_weight)
