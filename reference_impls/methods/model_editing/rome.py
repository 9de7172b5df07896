r"""Rank-one model editing, used for deletion (ROME).

One MLP layer is taken for a memory that answers the subject's name with what is known of it. Find the answer that
makes the model say something else, or nothing, about the subject, and write it into the layer with the smallest
change that the layer's other keys allow: a matrix of rank one.

## Objective

Meng et al. (equation 2): the projection $W$ of one MLP answers keys $K$ with values $V$. Insert $(k_*, v_*)$ by

$$
\min_{\hat W} \left\| \hat W K - V \right\|_F \;\;\text{s.t.}\;\; \hat W k_* = v_*
\quad\Longrightarrow\quad
\hat W = W + \Lambda \left(C^{-1} k_*\right)^\top,
\qquad
\Lambda = \frac{v_* - W k_*}{\left(C^{-1} k_*\right)^\top k_*} .
$$

The key is the mean of what the projection reads at the last token of the subject $s$ (equation 3), and the value is
$v_* = W k_* + \delta$, with $\delta$ added there to the projection's output while minimising (equation 4)

$$
\mathcal L(\delta) = \frac{1}{N} \sum_{j=1}^{N} \ell_\delta(y_j \mid c_j\, x_j)
+ \lambda_{\mathrm{KL}}\, \mathrm{KL}\!\left( p_\delta(\cdot \mid s\ \text{is a}) \,\|\,
p(\cdot \mid s\ \text{is a}) \right)
+ \lambda_\delta \frac{\|\delta\|_2}{\|W k_*\|_2^2},
\qquad \|\delta\|_2 \le \kappa\, \|W k_*\|_2 .
$$

What makes it deletion is the choice of $\ell$ (Patil et al., section 4, `objective`), with
$\bar\ell = -\frac{1}{|y|} \log p_\delta(y \mid x)$:

$$
\ell^{\text{error injection}} = \bar\ell(\tilde y \mid x),
\qquad
\ell^{\text{empty response}} = \bar\ell(d \mid x),
\qquad
\ell^{\text{fact erasure}} = \exp\!\left(-\bar\ell(y \mid x)\right) = p_\delta(y \mid x)^{1/|y|} .
$$

## Symbols

- $W$: the down-projection of the MLP at a fraction of the depth (`depth`); $k$ what it reads, $W k$ what it writes.
- $C = \mathbb E[k k^\top]$: the uncentred second moment of the layer's keys on text that is kept.
- $x_j, y_j$: the questions about $s$ to be forgotten, with their answers; $c_j$: nothing, or text in front of the
  question (`contexts` of them), so that the key stands for the subject wherever it is mentioned.
- $\tilde y$: a false answer; $d$ (`response`): a fixed reply that says nothing.
- $\lambda_{\mathrm{KL}}$ (`kl_weight`), $\lambda_\delta$ (`shrinkage`), $\kappa$ (`clamp`): what keeps $\delta$
  small. Learning rate and number of steps of the search for $\delta$ are the recipe's (published: Adam, 0.5 and 20
  steps).

## Facts

- **The change has rank one**, and keys with $k^\top C^{-1} k_* = 0$ are answered as before. Scaling $C$ changes
  nothing; with $C = I$ the change follows $k_*$ itself.
- **No gradient reaches the weights**: one activation is optimised, then a linear system is solved.
- The gradient of erasure is $p\,\nabla \log p$: gradient ascent with a weight that vanishes as $p \to 0$, so it is
  bounded where ascent is not. It also vanishes as $p \to 1$, and then the terms that keep $\delta$ small win: what is
  known best resists most.
- As the projection is linear, the mean over contexts of its outputs is its output for the mean key, so
  $v_* - W k_* = \delta$ exactly.
- **The search has a scale.** Steps of Adam are as long in every model, and $\lambda_\delta \|\delta\| / \|W k_*\|^2$
  weighs the more the shorter the outputs are: with the published 0.5 twice, a model of width 128 (outputs of length
  6) is left as it was. There 0.1 and 0.01 work, and $\kappa$ decides how much is forgotten.
- **Where it edits matters.** On the embedded model the first layer works best, at a price for people of the same
  surname: its keys have seen little more than the surname's last token. One edit per question, not per subject, was
  no better.
- **It acts at every mention of the subject**, while $\delta$ is searched for at the question's. Searching at the
  mentions in the answers too made the sentences unlikely rather than the facts.
- **It edits what is read from a subject's name**, not what is stored elsewhere: Patil et al. still find answers in
  middle layers and through paraphrases, for 38% of the facts deleted from GPT-J.

## Differences

1. The papers edit one fact at a time, with one word for an answer. Questions about one subject share its key, so one
   edit serves them all: $\delta$ is found for all of them together. Subjects are edited one after the other.
2. The false answer is another subject's answer to the most similar question, with the name exchanged.
3. Contexts are questions and answers from the retain set; the papers let the model write some.
4. $C$ comes from the retain set's tokens, with a small multiple of the identity added, not from Wikipedia.
5. The released code divides by the product with the bare prompt's key, so that the constraint holds for that prompt;
   here it holds for the mean key, as in the paper. The search stops early where the loss is below 0.05, as in that
   code.
6. Erasure takes the geometric mean over an answer's tokens: the papers' answers have one.
7. Of a plain text the beginning, up to the first mention of its subject, is the prompt, and the rest the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impls.toolkit import (
    LanguageModel,
    Method,
    Run,
    UnlearningData,
    ValueSearch,
    deletion_requests,
    hyperparameter,
    memories,
    with_ridge,
)


def rank_one_update(covariance: Tensor, key: Tensor, change: Tensor) -> Tensor:
    r"""(d, d_ff) $\Lambda (C^{-1} k_*)^\top$.

    Args:
        covariance: (d_ff, d_ff) $C$, symmetric and positive definite.
        key: (d_ff,) $k_*$.
        change: (d,) $v_* - W k_*$.
    """
    direction = torch.linalg.solve(covariance, key)
    return torch.outer(change / (direction @ key), direction)


@dataclass(frozen=True)
class ROME(Method):
    """One rank-one edit per subject."""

    paper = "meng2022locating"
    acts_on = "weights"
    retain = "optional"
    trains = "nothing"
    parts = ("memories",)
    published = {
        "learning_rate": 0.5,
        "steps": 20,
        "source": "released code, GPT-2 XL and GPT-J: the search for the new value",
    }

    objective: str = hyperparameter(
        "fact-erasure",
        "what deletion is: make the answer unlikely, a false one likely, or the empty response",
        source="Patil et al., section 4",
        choices=("fact-erasure", "error-injection", "empty-response"),
    )
    response: str = hyperparameter("I don't know.", "d, the empty response", source="Patil et al. leave it open")
    depth: float = hyperparameter(
        0.36, "the edited layer, as a fraction of the depth", source="layer 17 of GPT-2 XL's 48", minimum=0, maximum=1
    )
    contexts: int = hyperparameter(
        2, "how many texts come before each prompt in turn", source="published code: 20", minimum=0
    )
    kl_weight: float = hyperparameter(0.0625, "weight of the KL term", source="published code", minimum=0)
    shrinkage: float = hyperparameter(0.5, "weight of δ's length", source="published code", minimum=0)
    clamp: float = hyperparameter(
        4.0, "κ, how long δ may be", source="published code", above=0, trade_off=(0.75, 1.0, 1.5, 2.0, 4.0, 8.0)
    )

    @torch.no_grad()
    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        """For each subject: find a value, then insert it."""
        (memory,) = memories(model, [model.layer_at(self.depth)])
        covariance = with_ridge(memory.second_moment(model, data.others))
        search = ValueSearch(self.objective, self.kl_weight, self.shrinkage, self.clamp)
        requests = deletion_requests(model, data, self.objective, self.response, self.contexts, run.rng)
        for done, request in enumerate(requests):
            shift = search.find(model, memory.module, request, run)
            key = memory.subject_keys(model, request.pairs).float().mean(dim=0)
            memory.weight.add_(rank_one_update(covariance, key, shift).to(memory.weight.dtype))
            run.progress("editing", done + 1, len(requests))
        return model
