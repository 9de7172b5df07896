r"""Single layer unlearning gradient (SLUG).

One gradient, one matrix, one step. Two gradients of the whole sets, taken once, tell in which matrix the forget set
pulls hard, for its size, and elsewhere than the retain set does. That matrix is moved along its forget gradient, as
little as it takes.

## Objective

Cai et al., for every weight matrix $l$, with $g_f = \nabla L(\mathcal D_f; \theta_0)$ and
$g_r = \nabla L(\mathcal D_r; \theta_0)$:

$$
I_l = \frac{\lVert g_f^{(l)} \rVert}{\lVert \theta_0^{(l)} \rVert},
\qquad
A_l = \big| \cos( g_f^{(l)}, g_r^{(l)} ) \big|,
\qquad
\theta^{(l)} = \theta_0^{(l)} + \lambda\, g_f^{(l)} \;\text{ for one } l,
$$

which is on the Pareto front: no other matrix has both a larger $I$ and a smaller $A$.

## Symbols

- $L$: the mean negative log-likelihood of a set's answers.
- $\lambda$: found by trying. It begins with the tenth of $\lVert \theta_0^{(l)} \rVert / \lVert g_f^{(l)} \rVert$, is
  doubled until the forget set is forgotten, and halves the bracket from then on, for `trials` attempts in all. The
  least that was seen to do counts.
- *Forgotten*: the mean probability of the forget answers, each that of a token on geometric average, is at most
  `level`.

## Facts

- **One matrix changes, by a multiple of one gradient**, always from $\theta_0$: nothing is trained, and to undo it,
  one number has to be known besides the gradient.
- To first order the step changes the retain loss by $\lambda \langle g_f^{(l)}, g_r^{(l)} \rangle$, which a small $A_l$
  makes small. It has to be far from small to forget, though, and there the first order says little.
- **Made for one subject at a time.** On `authors`, to bring one author's eight answers to 0.5 leaves retain answers at
  0.97, 0.92 or 0.89 of 0.98, depending on the author, and the other forget answers at 0.88 to 0.96. The gradient of
  all ten authors together is above all what their answers have in common with any, and takes the rest along: 0.57 at
  0.4. One after another they end no better, at 0.60.
- What it saves is work, not harm: the same step in all weights at once left about as much with one author (0.97, 0.91
  and 0.93), and more with five (0.79 against 0.70). Nor did the front tell the best matrix: at 0.4 its four left retain
  answers at 0.49 to 0.57, the best of all others at 0.62.
- The front does not depend on how large either gradient is as a whole: scaling a loss moves all matrices alike.
- $A$ is the size of the cosine: that a step would *lower* the retain loss counts against a matrix, too.

## Differences

1. Made for CLIP, diffusion and vision-language models, where the forget loss is the distance of a picture from its
   text, and what is forgotten has an accuracy of 0 among the first five. Answers have no such accuracy; `level` is in
   its place.
2. The released code searches along every matrix of the front and writes down what each does. Here the one is taken
   that leaves the retain loss lowest where it has forgotten.
3. The released code takes its gradients with dropout on, and has the norms of layers among the candidates. Here they
   are none, and neither is the head; embeddings and biases are none in either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Pair,
    Run,
    UnlearningData,
    UsageError,
    cosine,
    hyperparameter,
    nll_gradient,
    trained_weights,
)


def importance_and_alignment(weight: Tensor, forgetting: Tensor, retaining: Tensor) -> tuple[float, float]:
    """$I$ and $A$ of a matrix, from its gradients."""
    return float(forgetting.norm() / weight.detach().norm()), abs(float(cosine(forgetting, retaining)))


def pareto_front(scores: Sequence[tuple[float, float]]) -> list[int]:
    """The places of those that none outdoes in both, with a larger importance and a smaller alignment."""
    return [
        place
        for place, (important, alike) in enumerate(scores)
        if not any(more > important and less < alike for more, less in scores)
    ]


def least_step(suffices: Callable[[float], bool], first: float, trials: int) -> tuple[float, bool]:
    """The least step that was seen to suffice, and True; or the largest that was tried, and False.

    Args:
        suffices: whether a step is large enough.
        first: what to begin with.
        trials: how many steps are tried.
    """
    low, high, step = 0.0, math.inf, first
    for _ in range(trials):
        low, high = (low, step) if suffices(step) else (step, high)
        step = (low + high) / 2 if high < math.inf else 2 * step
    return (high, True) if high < math.inf else (low, False)


def candidates(model: LanguageModel) -> set[int]:
    """The ids of the weights that may be chosen: of two dimensions or more, and neither embeddings nor head."""
    modules = [one for one in model.model.modules() if isinstance(one, torch.nn.Embedding)]
    others = {id(one.weight) for one in (*modules, model.model.get_output_embeddings()) if one is not None}
    return {id(weight) for weight in trained_weights(model) if weight.ndim > 1} - others


def mean_logprobs(model: LanguageModel, pairs: Sequence[Pair]) -> Tensor:
    """(pairs,) The mean log-probability of the tokens of each pair's answer."""
    return torch.stack([tokens.double().mean() for tokens in model.pair_logprobs(pairs)])


@dataclass(frozen=True)
class SLUG(Method):
    """Move one matrix along its forget gradient."""

    paper = "cai2024targeted"
    acts_on = "weights"
    retain = "needed"
    trains = "nothing"

    level: float = hyperparameter(
        0.5,
        "probability of forget answers at which they are forgotten",
        source="ours",
        above=0,
        below=1,
        trade_off=(0.3, 0.5, 0.7, 0.9),
    )
    trials: int = hyperparameter(10, "how many steps are tried in each matrix", source="released code", minimum=1)
    divisor: float = hyperparameter(
        10.0, "the first step is the matrix's length divided by it", source="released code", above=0
    )

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """Two gradients, a front, and a search along each of its matrices."""
        forget, retain = (nll_gradient(model, pairs) for pairs in (data.forget, data.retain))
        allowed = candidates(model)
        pulled = [
            one
            for one in zip(forget.weights, forget.parts, retain.parts, strict=True)
            if id(one[0]) in allowed and bool(one[0].any()) and bool(one[1].any())
        ]
        if not pulled:
            raise UsageError("SLUG finds no matrix to move: the forget set has a gradient in none. Give it other data.")
        found = []
        for place in pareto_front([importance_and_alignment(*one) for one in pulled]):
            weight, direction, _ = pulled[place]
            found.append((*self.searched(model, data, weight, direction), weight, direction))
            run.progress("searching", len(found), len(pulled))
        short, _, step, weight, direction = min(found, key=lambda one: one[:2])
        if short:
            run.tell(f"No single matrix could be moved so far that forget answers fall to {self.level}.")
        move(weight, direction, step)
        return model

    def searched(
        self, model: LanguageModel, data: UnlearningData, weight: Tensor, direction: Tensor
    ) -> tuple[bool, float, float]:
        r"""Whether the longest step along a matrix's gradient falls short, the retain loss after it, and $\lambda$."""
        before = weight.detach().clone()

        def suffices(step: float) -> bool:
            move(weight, direction, step)
            probability = float(mean_logprobs(model, data.forget).exp().mean())
            weight.data.copy_(before)
            return probability <= self.level

        step, enough = least_step(suffices, float(before.norm() / direction.norm()) / self.divisor, self.trials)
        move(weight, direction, step)
        lost = -float(mean_logprobs(model, data.retain).mean())
        weight.data.copy_(before)
        return not enough, lost, step


@torch.no_grad()
def move(weight: Tensor, direction: Tensor, step: float) -> None:
    """Move a matrix in place."""
    weight += step * direction
