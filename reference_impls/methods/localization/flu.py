r"""Mechanistic unlearning: train where facts are looked up (FLU).

Where a model says a fact is not where it finds it. Early MLPs look attributes up and write them to the states at a
subject's name; later layers take them out and put them into the form of an answer. Tracing an output finds the latter,
and what is unlearned there comes back with another form of the question. Here only the former are trained.

## Objective

Guo et al., over the input, gate and output matrices of the MLPs in blocks $\mathcal B$ and nothing else:

$$
\min_{\theta_{\mathcal B}} \; c\, \mathcal L_f(\theta) + L(\mathcal D_r; \theta),
\qquad
\mathcal L_f(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|}
\sum_t \mathbf 1[\log p_t \ge -5]\, \big( {-\log (1 - p_t)} \big),
\qquad p_t = \pi_\theta(y_t \mid x, y_{<t}) .
$$

## Symbols

- $\mathcal B$: `window` blocks, of which the last is at a fraction of the depth (`depth`). The paper finds them for
  each model, with probes and by patching states: blocks 2 to 7 of Gemma-7B, 2 to 6 of Gemma-2-9B.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers.
- $c$ (`forget_weight`).

## Facts

- **The place is the method.** $\mathcal L_f$ is that of `targeted-lat` without its attack, and in all weights it would
  be `grad-diff` with ascent that ends: the gradient at the true token's logit is $p_t$, which fades as the token is
  forgotten, and below $e^{-5}$ there is none. The loss is never below 0.
- **Layers above see what training leaves**, and are not told. What they would need to say a fact in any form has to be
  in the states by then, so that forgetting there is forgetting for all forms, if it is there that facts are found.
- **On `authors`**, at a rate of 0.001, the first two blocks bring forget answers from 0.96 to 0.04 and retain answers
  from 0.98 to 0.86; the last two, 0.15 and 0.67. In other words the answers are at 0.08, against 0.18, and inner layers
  show 0.08 of them to the head, against 0.63: the late blocks keep from being said what was found. So far it is as in
  the paper. Relearning does not tell the two apart: half of the forget answers bring the others back to 0.71, against
  0.75, and to 0.69 after late blocks at twice the rate. All four blocks end near the first two (0.03 and 0.87).

## Differences

1. The place is a hyper-parameter, by the depth at which the paper finds it. With the four blocks of the embedded model
   that is the first two. The paper's own search takes a person.
2. A third term there, of the same weight, is the loss on general text (the Pile). Here the retain set is all that is
   kept.
3. The paper also edits, toward another answer in place of $\mathcal L_f$, and localizes by hand for CounterFact.
4. Answers there are one token, and the mean is over tokens; here over tokens, then over answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from reference_impls.toolkit import Batch, LanguageModel, LossMethod, Window, away_loss, hyperparameter, mean_nll


@dataclass(frozen=True)
class FLU(LossMethod):
    """Minimise the loss in the MLPs that look facts up."""

    paper = "guo2024mechanistic"
    acts_on = "gradients"
    retain = "needed"
    trains = "part"
    parts = ("memories",)
    published = {
        "learning_rate": 1e-5,
        "steps": 50,
        "batch_size": 64,
        "weight_decay": 0.0,
        "source": "released code, sports facts with Gemma-7B",
    }

    depth: float = hyperparameter(
        0.26,
        "the last trained block, as a fraction of the depth",
        source="block 7 of Gemma-7B's 28",
        minimum=0,
        maximum=1,
    )
    window: int = hyperparameter(
        6, "how many blocks are trained, at most", source="blocks 2 to 7 of Gemma-7B", minimum=1
    )
    forget_weight: float = hyperparameter(
        1.0, "c, weight of the forget term", source="released code", above=0, trade_off=(0.1, 0.2, 0.5, 1.0, 2.0)
    )

    def trainable(self, model: LanguageModel) -> Iterable[Tensor]:
        r"""All that the MLPs of $\mathcal B$ multiply with."""
        layers = Window.up_to(model, self.depth, self.window).layers
        return [weight for module in model.mlp_matrices(layers) for weight in module.parameters() if weight.dim() == 2]

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget and retain sequences in one forward pass."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        return self.forget_weight * away_loss(forget) + mean_nll(retain)
