r"""Negative preference optimization (NPO).

Treat the answers to forget as the losing half of a preference pair, and drop the winning half. An answer that has
become less likely than it was before unlearning pulls less and less, so the model drifts instead of collapsing.

## Objective

Zhang et al. (equation 3), with the retain term of their "NPO+RT":

$$
\mathcal L_{\mathrm{NPO},\beta}(\theta) = -\frac{2}{\beta}\, \mathbb E_{(x,y) \sim \mathcal D_f}
\log \sigma\!\left(-\beta \log \frac{\pi_\theta(y \mid x)}{\pi_{\mathrm{ref}}(y \mid x)}\right),
\qquad
\mathcal L(\theta) = \mathcal L_{\mathrm{NPO},\beta}(\theta) + \alpha\, L(\mathcal D_r; \theta).
$$

## Symbols

- $\pi_\theta(y \mid x)$: the probability of the *whole* answer, so $\log \pi_\theta$ is a sum over its tokens.
- $\pi_{\mathrm{ref}}$: the model before unlearning; its log-probabilities never change and are computed once.
- $\beta$ (`beta`): how soon a forgotten answer stops pulling.
- $\sigma$: the logistic function.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\alpha$ (`retain_weight`;
  0 gives plain NPO).

## Facts

- **Bounded below by 0**, where gradient ascent has no floor.
- **An adaptive weight.**
  $\nabla \mathcal L_{\mathrm{NPO},\beta} = \mathbb E[W_\theta \nabla \log \pi_\theta(y \mid x)]$ with
  $W_\theta = 2\pi_\theta^\beta / (\pi_\theta^\beta + \pi_{\mathrm{ref}}^\beta) \in (0, 2)$: 1 at the start,
  towards 0 as the answer is forgotten.
- **Gradient ascent is the limit** $\beta \to 0$: there $W_\theta \to 1$ everywhere. In the paper's logistic model
  (theorem 2) ascent diverges exponentially faster than NPO.
- The factor $2/\beta$ belongs to the loss: without it the gradient shrinks by $\beta/2$ and NPO seems to do nothing.

## Differences

1. The retain term averages over answers; the released code averages over all tokens of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, hyperparameter, mean_nll, npo_loss


@dataclass(frozen=True)
class NPO(LossMethod):
    r"""Minimise $\mathcal L_{\mathrm{NPO},\beta}$ plus the retain loss."""

    paper = "zhang2024negative"
    acts_on = "loss"
    reference = "log-probabilities"
    retain = "optional"
    published = {
        "learning_rate": 1e-5,
        "epochs": 10,
        "batch_size": 32,
        "weight_decay": 0.01,
        "warmup": 0.1,
        "source": "released code, TOFU with Llama-2-7B-chat",
    }

    beta: float = hyperparameter(
        0.1, "β, inverse temperature: smaller is closer to gradient ascent", source="paper, TOFU experiments", above=0
    )
    retain_weight: float = hyperparameter(
        1.0,
        "α, weight of the retain loss; 0 gives plain NPO",
        source="NPO+RT of the released code",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        assert batch.forget.reference is not None
        forget, retain = model.token_logits(batch.forget, batch.retain)
        reference_logprobs = forget.sum_by_sequence(batch.forget.reference)
        forget_loss = npo_loss(forget.sequence_logprobs(), reference_logprobs, self.beta)
        return forget_loss + self.retain_weight * mean_nll(retain)
