r"""Representation noising (RepNoise).

What a model knows of the forget set stands in its hidden states, in every layer, and fine-tuning finds it there again.
So make these states look like noise: in each layer, what the MLP writes on forget texts is to be distributed as
Gaussian noise is, while the answers become unlikely as every layer would read them.

## Objective

Rosati et al., with three terms:

$$
\mathcal L = L(\mathcal D_r; \theta) + \beta\, \mathcal L_{\mathrm{noise}} - \alpha \log \mathcal L_{\mathrm{asc}},
\qquad
\mathcal L_{\mathrm{noise}} = \frac{1}{K} \sum_{l=1}^{K} \mathrm{MMD}^2\big(\{a^{(l)}_i\}, \{g_i\}\big),
$$

$$
\mathcal L_{\mathrm{asc}} = 1 + \frac{1}{K + 1} \Big( L(\mathcal D_f; \theta)
+ \sum_{l=1}^{K} L\big(\mathcal D_f; \mathrm{head}(h^{(l)})\big) \Big) .
$$

## Symbols

- $L$: the mean negative log-likelihood of a set's answers.
- $a^{(l)}_i$: what the MLP of block $l$ of $K$ writes at the answer of text $i$ of a batch, all its tokens in one
  vector; $g_i$: Gaussian noise of the same shape.
- $\mathrm{MMD}^2$: the squared maximum mean discrepancy, $\overline{k(a, a')} + \overline{k(g, g')} - 2\,
  \overline{k(a, g)}$, with $k$ a sum of five Gaussian kernels whose widths double from one to the next, around the mean
  squared distance of all pairs.
- $\mathrm{head}(h^{(l)})$: the logits that the model's last norm and head make of the residual stream after block $l$.
- $\alpha$ (`ascent_weight`), $\beta$ (`noise_weight`): weights of the two parts.

## Facts

- **The discrepancy is at least 0**, and 0 where both samples are the same. It sees the distribution of a batch and not
  which text has which state: with a single text there is little to see.
- **The logarithm tames the ascent**: its gradient is that of ascent divided by $\mathcal L_{\mathrm{asc}}$, so the less
  is known, the less it pulls. Below it is unbounded all the same, though ever more slowly.
- **Every layer is a reader**: with the last alone, knowledge that stands in a middle layer could stay there.
- The noise has the standard deviation 1, whatever the size of the states is; noise of another size is another target.
- Texts of one length are compared entry by entry; shorter ones are 0 behind their end, in states and noise alike.

## Differences

1. The paper's texts are harmful and harmless answers to the same question, and a mask takes the tokens in which they
   differ; here these are the tokens of the answer.
2. The paper's first term is on harmless answers; here on those of the retain set.
3. The released code has one loss more in the sum than it divides by, and takes the token with id 0 for padding; both
   are put right here.
4. The published settings are for 10,000 pairs in one epoch; here the recipe decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    IGNORE,
    Batch,
    Encoded,
    LanguageModel,
    LossMethod,
    TokenLogits,
    hyperparameter,
    mean_nll,
)

KERNELS = 5
"""Gaussian kernels in the sum, as in the released code."""


def discrepancy(one: Tensor, other: Tensor) -> Tensor:
    r"""() $\mathrm{MMD}^2$ of two samples of the same size.

    Args:
        one: (B, n) a sample of B vectors.
        other: (B, n) another.
    """
    both = torch.cat([one, other])
    count = len(both)
    squares = (both[:, None] - both[None, :]).square().sum(dim=2)
    width = (squares.detach().sum() / (count * (count - 1))).clamp(min=1e-12)
    factors = [2.0 ** (place - KERNELS // 2) for place in range(KERNELS)]
    kernel = sum(torch.exp(-squares / (width * factor)) for factor in factors)
    assert isinstance(kernel, Tensor)
    half = len(one)
    return (kernel[:half, :half] + kernel[half:, half:] - kernel[:half, half:] - kernel[half:, :half]).mean()


def ascent_loss(out: TokenLogits, read: list[TokenLogits]) -> Tensor:
    r"""() $\mathcal L_{\mathrm{asc}}$, from the logits of the model and those that each layer is read as."""
    return 1 + torch.stack([mean_nll(reading) for reading in (out, *read)]).mean()


@dataclass(frozen=True)
class RepNoise(LossMethod):
    r"""Minimise $\mathcal L$."""

    paper = "rosati2024representation"
    acts_on = "activations"
    retain = "needed"
    parts = ("memories",)

    ascent_weight: float = hyperparameter(
        1.0,
        "α, weight of the ascent",
        source="released code",
        minimum=0,
        trade_off=(0.1, 0.3, 1.0, 2.0),
    )
    noise_weight: float = hyperparameter(0.001, "β, weight of the noise loss", source="released code", minimum=0)

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch: two passes over the forget texts, and one of their tokens through the head."""
        forget, retain = model.token_logits(batch.forget, batch.retain)
        noising, read = self.inside(model, batch.forget, forget)
        ascent = ascent_loss(forget, read).log()
        return mean_nll(retain) + self.noise_weight * noising - self.ascent_weight * ascent

    def inside(self, model: LanguageModel, batch: Encoded, out: TokenLogits) -> tuple[Tensor, list[TokenLogits]]:
        r"""() $\mathcal L_{\mathrm{noise}}$, and the logits that each layer is read as."""
        layers = range(model.layers)
        outputs = model.outputs(batch, [*model.mlp_outputs(layers), *model.blocks])
        answer = (batch.labels[:, 1:] != IGNORE)[:, :, None]
        losses = []
        for written in outputs[: model.layers]:
            at_answer = written[:, :-1].float() * answer
            noise = torch.randn_like(at_answer) * answer
            losses.append(discrepancy(at_answer.flatten(start_dim=1), noise.flatten(start_dim=1)))
        states = torch.cat([state[batch.supervised] for state in outputs[model.layers :]])
        read = [out.with_logits(logits) for logits in model.read_out(states).chunk(model.layers)]
        return torch.stack(losses).mean(), read
