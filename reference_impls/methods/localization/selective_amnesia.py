r"""Unlearning where tracing leads, with a watched balance (Selective Amnesia).

Causal mediation first: blur the subject of a question and see which MLPs, given back what they said when it was clear,
bring the answer back. Only these are trained, by ascent on what is to be forgotten and descent on what is to stay, and
the latter weighs more in a step where it got worse.

## Objective

Agrawal and Huang: with the MLPs of blocks $\mathcal B$ alone,

$$
\mathcal L = -L(\mathcal D_f) + \lambda\, \alpha\, L(\mathcal D_r), \qquad
\alpha = \min\big( \max( a\, b^{\Delta} + c,\ \alpha_{\min} ),\ \alpha_{\max} \big), \qquad
\Delta = L(\mathcal D_r) - \bar L_r,
$$

$$
\mathcal B = \operatorname{argmax}_{\mathcal B}\;
\mathbb E_{(x,y) \sim \mathcal D_f} \left[ p\big(y \mid \tilde x,\, \mathrm{do}(m_{\mathcal B} = m_{\mathcal B}(x))\big)
- p(y \mid \tilde x) \right].
$$

## Symbols

- $L$: mean negative log-likelihood of answers, on a batch.
- $\bar L_r$: the mean of $L(\mathcal D_r)$ over the first pass. In that pass, and later where $\Delta \le 0$,
  $\alpha = \alpha_{\min}$.
- $a$ (`scale`), $b$ (`base`), $c$ (`offset`), $\alpha_{\min}$ (`least`), $\alpha_{\max}$ (`most`). $\lambda$
  (`retain_weight`) is 1 in the paper.
- $\tilde x$: noise of $\sigma$ (`noise`) standard deviations of all embeddings is added to those of the subject's name.
- $m_{\mathcal B}(x)$: what the MLPs of consecutive blocks $\mathcal B$, a `share` of all, write at that name without
  noise. $p$: geometric mean over the answer's tokens.

## Facts

- **It is `grad-diff` with a weight between two bounds**, in a few matrices: ascent has no floor here either, and
  $\alpha$ answers to what it does to the rest but never by more than $\alpha_{\max}$.
- $a\, b^\Delta + c$ is 1.1 at $\Delta = 0$, below $\alpha_{\min}$; it passes 1.2 at $\Delta = 0.16$ nats and 2.8 at
  1.06. No gradient flows through $\alpha$.
- **Tracing finds the early MLPs, as in the paper**: on `authors`, of windows of two blocks, the first brings back 0.57
  of the answers' probability, the next 0.20 and the last 0.17. Of single blocks it is the first of all: later MLPs read
  what it wrote at the name.
- **Training there keeps more for what it forgets.** At a rate of 0.001 with $\lambda = 2$, forget answers go from 0.96
  to 0.07 and retain answers from 0.98 to 0.90; in the last two blocks to 0.18 and 0.92. `grad-diff` in all weights,
  with the weight 2.4 and a rate of 0.0002, comes to 0.22 and 0.91.
- **The watch is for steps that are too long.** In that run it had nothing to do: the retain loss hardly rose above that
  of the first pass, and $\alpha = \alpha_{\min}$ all along gives the same. At 0.002 with $\lambda = 1$, 0.73 of the
  retain answers is left with it and 0.57 without; the forget answers are at 0.001 either way.

## Differences

1. The paper reads the blocks off heat maps over tokens and layers (windows of ten, first token of the answer); here
   the best window is taken, with the whole answer and all tokens of the name, which the answer repeats. Pairs that do
   not name their subject have no say.
2. $\alpha_{\max}$ is 2.8 in the paper; in the released code it is 2.3, and $\alpha$ is rounded to a tenth.
3. The code divides a sum over batches by the number of examples, so that its $\bar L_r$ is below every loss and
   $\alpha$ rarely at $\alpha_{\min}$; here it is the mean. It keeps the checkpoint with the lowest loss; here the last.
4. Means are over an answer's tokens, then over answers; in the code over all tokens of a batch.
5. $\lambda$ is ours: four blocks and one kind of fact need more than $\alpha_{\max}$.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
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
    changed_output,
    hyperparameter,
    mean_nll,
)


def put(places: Tensor, states: Tensor) -> Callable[[Tensor], Tensor]:
    """A change of activations: (B, L, d) states at (B, L) places, the rest as it was."""

    def change(out: Tensor) -> Tensor:
        return torch.where(places[:, :, None], states, out.reshape(states.shape)).reshape(out.shape)

    return change


@torch.no_grad()
def indirect_effects(
    model: LanguageModel, pairs: Sequence[Pair], count: int, noise: float, rng: random.Random
) -> Tensor:
    """(W,) By how much the MLPs of each window of consecutive blocks bring blurred answers back, from the first on.

    Args:
        model: who answers.
        pairs: questions with their answers.
        count: how many blocks a window has.
        noise: in standard deviations of the embeddings.
        rng: draws it.
    """
    modules, embeddings = model.mlp_outputs(range(model.layers)), model.model.get_input_embeddings()
    size, generator = noise * float(embeddings.weight.std()), torch.Generator().manual_seed(rng.getrandbits(32))
    total = torch.zeros(model.layers - count + 1)

    def known(batch: Encoded) -> float:
        (out,) = model.token_logits(batch)
        return float(out.sequence_nll().neg().exp().sum())

    for start in range(0, len(pairs), model.batch_size):
        part = pairs[start : start + model.batch_size]
        batch, places = model.encode(part), model.subject_mentions(part)
        read, *clear = model.outputs(batch, [embeddings, *modules])
        drawn = size * torch.randn(read.shape, generator=generator)
        with changed_output(embeddings, put(places, read + drawn.to(read))):
            low = known(batch)
            for first in range(len(total)):
                with ExitStack() as restored:
                    for module, states in list(zip(modules, clear, strict=True))[first : first + count]:
                        restored.enter_context(changed_output(module, put(places, states)))
                    total[first] += known(batch) - low
    return total / len(pairs)


@dataclass(frozen=True)
class SelectiveAmnesia(Method):
    r"""Find $\mathcal B$, then minimise $\mathcal L$ there."""

    paper = "agrawal2025sha"
    acts_on = "gradients"
    retain = "needed"
    trains = "part"
    parts = ("memories",)
    published = {"learning_rate": 1.5e-5, "epochs": 8, "source": "released code, LUME with OLMo-1B and 7B"}

    share: float = hyperparameter(0.375, "share of the blocks", source="paper: 6 of OLMo-1B's 16", above=0, maximum=1)
    noise: float = hyperparameter(3.0, "σ, blur of the name", source="as causal tracing; ours here", minimum=0)
    scale: float = hyperparameter(0.3, "a, of the retain loss's weight", source="paper", minimum=0)
    base: float = hyperparameter(6.0, "b, how fast it grows as the retain loss does", source="paper", minimum=1)
    offset: float = hyperparameter(0.8, "c, added to it", source="paper", minimum=0)
    least: float = hyperparameter(1.2, "α_min, from below", source="paper", minimum=0)
    most: float = hyperparameter(2.8, "α_max, from above", source="paper; code: 2.3", above=0)
    retain_weight: float = hyperparameter(
        1.0, "λ, times the weight of the retain loss", source="paper: 1", above=0, trade_off=(0.5, 1.0, 2.0, 5.0)
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Trace, then train."""
        count = max(1, round(self.share * model.layers))
        first = int(indirect_effects(model, data.forget, count, self.noise, run.rng).argmax())
        chosen = [
            weight for module in model.mlp_matrices(range(first, first + count)) for weight in module.parameters()
        ]
        one_pass, first_pass = -(-len(data.forget) // run.recipe.batch_size), list[float]()

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            forget, retain = model.token_logits(batch.forget, batch.retain)
            kept, weight = mean_nll(retain), self.least
            if len(first_pass) < one_pass:
                first_pass.append(kept.item())
            else:
                weight = self.weight(kept.item() - sum(first_pass) / one_pass)
            return self.retain_weight * weight * kept - mean_nll(forget)

        return run.minimize(loss, model, data, chosen)

    def weight(self, rise: float) -> float:
        r"""$\alpha$ of $\Delta$."""
        wanted = self.scale * self.base**rise + self.offset if rise > 0 else self.least
        return min(max(wanted, self.least), self.most)
