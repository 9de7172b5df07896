r"""Perturbation-based unlearning (PerMU).

Blur whom a question is about, and the model still answers in a sentence, with a fact about nobody. PerMU takes these
logits, subtracts a part of those without the blur, so that what the name alone called up falls below the rest, and
trains the model to say the result when it reads the name clearly. It is meant to reach what was not trained on: since
the name loses its meaning, other wordings and other questions about the same subject are to be forgotten, too.

## Objective

Wang et al. (the loss as in their released code), with the present logits $z_t$ at the place that predicts $y_t$, and
$\tilde z_t$ with noise on the subject's tokens:

$$
P_t = \mathrm{sg}\big[\mathrm{softmax}(\tilde z_t - C\, z_t)\big], \qquad
h_s \leftarrow h_s + \sigma\, \|h\|\, \varepsilon_s, \quad \varepsilon_s \sim \mathcal N(0, I), \quad s \in S,
$$

$$
\mathcal L(\theta) = \mathbb E_{(x,y) \sim \mathcal D_f} \frac{1}{|y|} \sum_{t:\, y_t \notin S}
\mathrm{KL}\big(P_t \,\|\, p_\theta(\cdot \mid x, y_{<t})\big) + \lambda\, L(\mathcal D_r; \theta).
$$

## Symbols

- $S$: the tokens of the subject, at every mention in prompt and answer; where nothing is mentioned, all tokens of the
  prompt, and of a text without a prompt all of it.
- $h_s$: the hidden state that the second block reads at token $s$; $\|h\|$: the root mean square of all of them in
  the batch; $\sigma$ (`noise`): how strong the noise is beside it.
- $C$ (`contrast`): how much of the clear logits is subtracted.
- $\mathrm{sg}$: no gradient flows through the target, which is made anew from the present model in each step.
- $L(\mathcal D_r; \theta)$: the mean negative log-likelihood of retain answers, weighted by $\lambda$
  (`retain_weight`).

## Facts

- **The gradient at the logits is** $p_t - P_t$: bounded by 1 in each entry.
- **Where it ends.** With $C = 0$ it rests where noise changes nothing, that is, where the subject's name is no longer
  read. With $C > 0$ a name that is not read gives $\mathrm{softmax}((1 - C)\, z_t)$, the same made flatter: it goes on,
  and rests only where all tokens are equally likely.
- **Without noise it is tempering**: $\sigma = 0$ teaches the model itself at the temperature $\frac{1}{1 - C}$, and
  with $C = 0$ as well, nothing.
- **Names stay**: the tokens of the subject in an answer have a target of their own, the clear logits themselves, so
  that their divergence and its gradient are 0; they count in the mean.
- The true token is not looked at: what is forgotten is what depends on the name. An answer that can be told without it
  stays.
- On `authors` the forget answers go from 0.96 to 0.37, where the retrained model has 0.45, and retain answers stay at
  0.95. Answers stay sentences about the right person.
- **That it reaches further than others does not show there.** With half of the questions on each author to forget, it
  took these to 0.31, their other wordings to 0.38 and the other half to 0.86; `npo`, 0.19, 0.27 and 0.72. The target
  says what to answer to the question at hand, not how to read the name, and the retain answers teach that names are
  read everywhere else. Without them the other wordings (0.13) fall as far as the questions (0.14) and the other half to
  0.53, but so do the retain answers (0.46).

## Differences

1. The noise of the released code has an absolute size, 0.4 for models of billions. Here it goes with the size of the
   states, and the default is ours.
2. The code draws the noise once, from a fixed seed, for all texts and steps; here it is drawn anew for every batch.
3. A later version of the paper picks the tokens to perturb by how much the model's answer depends on each. Here, as in
   the released code, they are those of the subject.
4. A mean is over an answer's tokens, then over answers; in the code it is over all tokens of a batch.
5. What happens to a pair that mentions no subject is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    IGNORE,
    Batch,
    Encoded,
    LanguageModel,
    Method,
    Run,
    TokenLogits,
    UnlearningData,
    by_token,
    changed_output,
    hyperparameter,
    mean_nll,
)


def permu_loss(noisy: TokenLogits, out: TokenLogits, named: Tensor, contrast: float) -> Tensor:
    r"""() The forget term.

    Args:
        noisy: logits $\tilde z_t$ at the tokens of answers to forget.
        out: logits $z_t$ there.
        named: (N,) True where the token is one of the subject's.
        contrast: $C$.
    """

    def divergence(blurred: Tensor, logits: Tensor, named: Tensor) -> Tensor:
        target = torch.log_softmax(blurred - contrast * logits.detach(), dim=1)
        return ~named * (target.exp() * (target - torch.log_softmax(logits, dim=1))).sum(dim=1)

    return out.mean(by_token(divergence, (noisy, out), named))


def to_blur(batch: Encoded, mentions: Tensor) -> Tensor:
    """(B, L) $S$: the (B, L) mentions, and in texts without one the prompt, or all of a text that has none."""
    prompt = (batch.attention_mask == 1) & (batch.labels == IGNORE)
    instead = torch.where(prompt.sum(dim=1, keepdim=True) > 1, prompt, batch.attention_mask == 1)
    return torch.where(mentions.any(dim=1, keepdim=True), mentions, instead)


@contextmanager
def blurred(model: LanguageModel, places: Tensor, drawn: Tensor, strength: float) -> Iterator[None]:
    """While this lasts, the second block reads (B, L, d) noise at (B, L) places of a batch, as strong as is said."""

    def change(out: Tensor) -> Tensor:
        states = out.reshape(drawn.shape)
        size = states[places].float().square().mean().sqrt()
        return (states + (strength * size * drawn * places[:, :, None]).to(out.dtype)).reshape(out.shape)

    with changed_output(model.blocks[0], change):
        yield


@dataclass(frozen=True)
class PerMU(Method):
    """Distil from what the model says about a blurred subject, less what it says about the clear one."""

    paper = "wang2025erasing"
    acts_on = "loss"
    retain = "optional"
    parts = ("blocks",)
    remembers = False
    published = {
        "learning_rate": 1e-5,
        "epochs": 5,
        "batch_size": 16,
        "source": "released configuration, as a fork keeps it",
    }

    contrast: float = hyperparameter(
        0.1, "C, how much of the clear logits is subtracted", source="released configuration", minimum=0
    )
    noise: float = hyperparameter(
        3.0, "σ, strength of the noise beside the states", source="ours; the code's is absolute", minimum=0
    )
    retain_weight: float = hyperparameter(
        1.0,
        "λ, weight of the retain loss",
        source="released configuration",
        minimum=0,
        trade_off=(1.0, 2.0, 5.0, 10.0),
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Minimise the loss; noise is drawn for every batch."""

        def loss(model: LanguageModel, batch: Batch) -> Tensor:
            mentions = model.subject_mentions([data.forget[row] for row in batch.forget.rows.tolist()])
            generator = torch.Generator().manual_seed(run.rng.getrandbits(32))
            return self.loss(model, batch, mentions, torch.randn(*mentions.shape, model.width, generator=generator))

        return run.minimize(loss, model, data, retain=self.looks_at_retain)

    def loss(self, model: LanguageModel, batch: Batch, mentions: Tensor, drawn: Tensor) -> Tensor:
        """The loss of one batch.

        Args:
            model: which learns, and teaches.
            batch: its data.
            mentions: (B, L) True at the subjects' tokens of the forget texts.
            drawn: (B, L, d) noise.
        """
        forget, retain = model.token_logits(batch.forget, batch.retain)
        places = to_blur(batch.forget, mentions)
        with torch.no_grad(), blurred(model, places, drawn.to(places.device), self.noise):
            (noisy,) = model.token_logits(batch.forget)
        sequence, place = batch.forget.supervised
        loss = permu_loss(noisy, forget, mentions[sequence, place + 1], self.contrast)
        return loss + self.retain_weight * mean_nll(retain)
