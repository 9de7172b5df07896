r"""Utility-preserving coreset selection (UPCORE).

The more the answers to forget differ among themselves, the more is damaged when they are unlearned together. So leave
out the few that stand apart from the rest, by what the model makes of their questions, and unlearn the core; what was
left out goes along with it.

## Objective

Patil et al., around any unlearning objective $\mathcal L$:

$$
h_i = h^{(L-1)}(x_i), \qquad
s_i = 2^{-\bar d(h_i) / c(\psi)}, \qquad
\mathcal D_c = \{ (x_i, y_i) \in \mathcal D_f : s_i \ \text{not among the}\ \lfloor \rho |\mathcal D_f| \rfloor\
\text{largest} \}, \qquad
\theta = \arg\min_\theta \mathcal L(\mathcal D_c; \theta) .
$$

## Symbols

- $h^{(L-1)}(x)$: the hidden state of a question's last token after the last block but one.
- $s_i$: how much of an outlier a state is, by an *isolation forest*: trees that cut a sample of $\psi \le 256$ states
  in two at a random value of a random coordinate, and each half again, down to a depth of $\lceil \log_2 \psi \rceil$.
  A state that stands apart is soon alone. $\bar d$ is the mean depth at which one ends in 100 trees, to which
  $c(n) = 2 (\ln(n - 1) + \gamma) - 2 \frac{n - 1}{n}$ is added for the $n$ states that end together, which is how much
  deeper it would have been to part them; $\gamma$ is Euler's constant.
- $\rho$ (`pruned`): the share that is left out; `selection` = `random` leaves out as many at random, the control.
- $\mathcal L$ (`objective`): `ascent` (minus the negative log-likelihood), `npo` or `refusal` (fine-tuning on
  refusals), each plus $\lambda$ (`retain_weight`) times the negative log-likelihood of retain answers.

## Facts

- **It changes the data alone**, and costs one pass forward for each forget question. With $\rho = 0$ it is its base.
- $s$ is near 1 for what is soon alone and 0.5 where nothing stands apart.
- **The variance falls** (the trace of the states' covariance), since the furthest go first.
- **What is left out is never trained on.** That it is forgotten all the same has to be looked at: on the whole forget
  set, not on the core.
- **It goes along on the embedded task** (`authors`, ascent alone, 60 steps at a rate of 5e-5): with 30% left out the
  whole forget set ends at 0.61, with nothing left out at 0.59. So what differs there is little, and so is what is
  gained: retain answers end at 0.89 and 0.88. With $\lambda = 1$ at 2e-4 it matters more *which* are left out: the
  outliers, and forget and retain answers end at 0.22 and 0.82; as many at random, 0.19 and 0.78; none, 0.07 and 0.78.

## Differences

1. The states are not standardized, as in the released code; the forest is written anew from its paper (Liu et al.,
   ICDM 2008), which picks a coordinate among those that vary.
2. With adapters in the released code, all weights here; the forest's random numbers are the run's.
3. A plain text is looked at where its subject is mentioned first, which is where its prompt would end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    ascent_or_npo,
    hyperparameter,
    mean_nll,
    outlier_scores,
    with_refusals,
)


@torch.no_grad()
def question_states(model: LanguageModel, pairs: tuple[Pair, ...]) -> Tensor:
    """(n, d) the hidden state of each question's last token, after the last block but one."""
    states = []
    for batch in model.encoded(pairs):
        (out,) = model.outputs(batch, [model.blocks[max(0, model.layers - 2)]])
        states.append(batch.at_prompt_ends(out).float().cpu())
    return torch.cat(states)


@dataclass(frozen=True)
class UPCORE(Method):
    """Leave out what stands apart, and unlearn the rest."""

    paper = "patil2025upcore"
    acts_on = "data"
    reference = "log-probabilities"
    retain = "optional"
    remembers = False

    pruned: float = hyperparameter(
        0.1, "ρ, share of the forget set that is left out", source="paper", minimum=0, below=1
    )
    selection: str = hyperparameter(
        "outliers", "which are left out", source="paper; its control", choices=("outliers", "random")
    )
    objective: str = hyperparameter(
        "ascent", "how the core is unlearned", source="paper", choices=("ascent", "npo", "refusal")
    )
    beta: float = hyperparameter(0.1, "β, npo's inverse temperature", source="released code", above=0)
    retain_weight: float = hyperparameter(
        0.0, "λ, weight of the retain loss", source="paper: none with ascent", minimum=0, trade_off=(0.0, 1.0, 2.0, 5.0)
    )

    def core(self, model: LanguageModel, data: UnlearningData, run: Run) -> tuple[Pair, ...]:
        """What is left of the forget set, in its order."""
        leave_out = int(self.pruned * len(data.forget))
        if not leave_out:
            return data.forget
        if self.selection == "random":
            dropped = set(run.rng.sample(range(len(data.forget)), leave_out))
        else:
            with model.evaluating():
                scores = outlier_scores(question_states(model, data.prompted().forget), run.rng)
            dropped = set(scores.argsort(descending=True)[:leave_out].tolist())
        return tuple(pair for row, pair in enumerate(data.forget) if row not in dropped)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Choose, then unlearn."""
        chosen = replace(data, forget=self.core(model, data, run))
        refuses = self.objective == "refusal"
        told = with_refusals(chosen, run.rng) if refuses else chosen
        return run.minimize(
            self.loss, model, told, reference=self.reference, alternates=refuses, retain=self.looks_at_retain
        )

    def loss(self, model: LanguageModel, batch: Batch) -> Tensor:
        """The loss of one batch, forget (or refused) and retain sequences in one forward pass."""
        taught = batch.preferred if self.objective == "refusal" else batch.forget
        out, retain = model.token_logits(taught, batch.retain)
        if self.objective == "refusal":
            forgotten = mean_nll(out)
        else:
            forgotten = ascent_or_npo(out, batch.forget.reference, self.objective, self.beta)
        return forgotten + self.retain_weight * mean_nll(retain)
