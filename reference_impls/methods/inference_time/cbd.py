r"""Controlled behavioral divergence (CBD).

For a model that is reached through an API alone, which gives neither weights nor logits. Two small models stand in
front of it: one that never met what must go, and its twin, which is trained to know it and to be as before elsewhere.
Where the two disagree about how an answer goes on, the question is about what must go, and the first answers it.

## Objective

Xie et al., in the form of their released code, for an assistant $A_0$ and its twin $A_1$ with weights $\phi$:

$$
\min_\phi\; \lambda\, L(\mathcal D_f; \phi)
+ \mathbb E_{x \sim \mathcal D_r} \mathrm{KL}\!\left( p_{A_0} \,\middle\|\, p_\phi \right),
\qquad
s(x) = \frac1T \sum_{t=1}^{T} \tfrac12 \left[ \mathrm{KL}(p_{A_0} \| p_{A_1}) + \mathrm{KL}(p_{A_1} \| p_{A_0}) \right]
(\cdot \mid x, \hat y_{<t}) ,
$$

where the gradient of the first term is replaced, layer by layer, by its part $Q Q^\top g$ in the discriminative basis:
$Q$ spans the first $k$ solutions of

$$
F_f\, q = \nu \left( F_r + \mu I \right) q,
\qquad
F = \frac1n \sum_{i=1}^n g_i g_i^\top .
$$

## Symbols

- $L$: the mean negative log-likelihood of answers, weighted by $\lambda$ (`forget_weight`).
- $\hat y$: what $A_0$ itself answers, greedily, in up to `length` tokens, its end included.
- $g_i$: the gradient of answer $i$'s mean negative log-likelihood at the start, by one layer's weights that train;
  $F_f$, $F_r$: their second moments over the forget and the retain set, of each of which `sample` answers at most.
- $k$ (`directions`). $\mu$: `damping` times the mean of $F_r$'s diagonal.
- $\phi$: second factors $B$ of low-rank adapters of rank $r$ (`rank`) and scaling `alpha`; the first, $A$, stay as they
  were drawn.
- What has $s(x) \ge \tau$ is answered by $A_0$, all else by the model. $\tau$ tells the two sets' questions apart best
  (share of either) among those that stop at most a part `false_alarms` of the retain set's.

## Facts

- **The model gives answers and nothing else**: no gradient, no logit, no copy of it. It is the same to the bit.
- **$A_0$ decides what is said of what must go**, so it has to be one that never met it: then this is what an innocent
  model says, and no refusal gives away what was asked for.
- **The basis comes from the samples' Gram matrices**,
  $(F_r + \mu I)^{-1} G = \frac1\mu \left( G - G_r (G_r^\top G_r + n_r \mu I)^{-1} G_r^\top G \right)$: no matrix is
  larger than the number of answers. It has at most as many directions as there are answers to forget.
- **By hand**: forget gradients $(1, 1)$ and $(1, -1)$, one retain gradient $(2, 0)$, $\mu = 1$: $F_f = I$ and
  $F_r + \mu I = \mathrm{diag}(5, 1)$, so that the first direction is $(0, 1)$, where the retain set has nothing.
- **The basis makes no difference where it may have a direction for every answer.** On `authors` (80 answers to forget,
  720 to keep) the score ranks a question to forget above one to keep in 97.1 % of the pairs with it and in 97.4 %
  without, and finds 89 % of the former at 4 % of the latter either way. With 8 directions it is 92.5 % and 69 %: the
  retain set's scores fall by two thirds, the forget set's by half, and their order suffers.
- **AdamW divides every entry by a scale of its own**, so that steps leave the basis although gradients do not; in the
  released code as well.
- On `authors` (rate 2e-3) forget answers keep a probability of 0.53 of 0.96, where retraining has 0.45, and utility
  goes from 0.653 to 0.641: what is found is answered as if it had never been read, and nearly all else is untouched.
- **Other words pass as far as the twin sees through them**: the gate knows of a question what a model knows of it.

## Differences

1. Checked against the released code and a public copy of it with the losses and the search of $\tau$; of the paper only
   the abstract could be read.
2. The paper's $A_0$ is TinyLlama, which knows how to talk and nothing of the invented authors. Here it is the model
   from before it met the forget set; a smaller one that never met it would do as well.
3. The code's adapters sit on the MLPs' up-projections alone; here on all linear layers of the blocks, whatever they are
   called.
4. The code compares $p$ at all tokens of retain texts, padding included; here at the answers'.
5. The code counts right decisions, over as many questions of either set; the embedded sets differ in size, so that
   shares are compared.
6. For multiple choice the code does without $\hat y$ and takes the largest divergence at a question's last four tokens.
7. It clips nothing; a step here is held to the length that the recipe says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from reference_impls.toolkit import (
    Batch,
    Gradient,
    Kept,
    LanguageModel,
    Method,
    Run,
    UnlearnedModel,
    UnlearningData,
    Wrapped,
    adapter_weights,
    hyperparameter,
    mean_kl,
    mean_nll,
    nll_gradient,
    not_adapted,
    with_adapter,
)

NEGLIGIBLE = 1e-6
"""Solutions below this part of the largest are rounding: of as many gradients some always depend on others."""


def discriminative_basis(forget: Tensor, retain: Tensor, count: int, damping: float) -> Tensor:
    r"""(k, d) orthonormal rows that span the first solutions, at most ``count``.

    Args:
        forget: (n_f, d) a gradient for each answer to forget.
        retain: (n_r, d) the same for the retain set.
        count: $k$.
        damping: $\mu$, relative to the mean of $F_r$'s diagonal.
    """
    forget, retain = forget.double(), retain.double()
    ridge = max(damping * float(retain.square().mean()), torch.finfo(torch.float32).tiny)
    gram = retain @ retain.T + len(retain) * ridge * torch.eye(len(retain), dtype=retain.dtype, device=retain.device)
    whitened = (forget - (torch.linalg.solve(gram, retain @ forget.T)).T @ retain) / ridge
    values, vectors = torch.linalg.eigh(forget @ whitened.T / len(forget))
    kept = min(count, int((values > NEGLIGIBLE * values[-1]).sum()))
    spanning = vectors.flip(1)[:, :kept].T @ whitened
    basis: Tensor = torch.linalg.qr(spanning.T).Q.T.float()
    return basis


def within(gradient: Gradient, bases: Sequence[Tensor]) -> Gradient:
    r"""$Q Q^\top g$, of each layer's weights in its own basis."""
    parts = [
        (part.flatten() @ basis.T @ basis).view_as(part) for part, basis in zip(gradient.parts, bases, strict=True)
    ]
    return replace(gradient, parts=tuple(parts))


def best_threshold(inside: Sequence[float], outside: Sequence[float], false_alarms: float) -> float:
    r"""$\tau$, of the scores of questions to forget and to keep; above all of them where stopping none is best."""

    def apart(threshold: float) -> tuple[float, float]:
        found, stopped = (sum(score >= threshold for score in one) / len(one) for one in (inside, outside))
        return found - stopped, found

    scores = sorted({*inside, *outside})
    candidates = [*scores, math.nextafter(scores[-1], math.inf)]
    allowed = [one for one in candidates if sum(score >= one for score in outside) <= false_alarms * len(outside)]
    return max(allowed, key=apart)


@dataclass(frozen=True)
class CBD(Method):
    """Train the twin, and set the threshold."""

    paper = "xie2026cbd"
    acts_on = "prompt"
    access = "prompts"
    retain = "needed"
    trains = "adapters"
    copies = 2
    earlier = "needed"
    remembers = False

    false_alarms: float = hyperparameter(
        0.04,
        "part of the retain questions that may be stopped",
        source="released code, TOFU",
        minimum=0,
        maximum=1,
        trade_off=(0.02, 0.04, 0.1, 0.2),
    )
    forget_weight: float = hyperparameter(4.0, "λ, weight of the forget set's loss", source="released code", above=0)
    directions: int = hyperparameter(192, "k, directions of a basis", source="released code, TOFU", minimum=1)
    damping: float = hyperparameter(0.01, "μ, relative to F_r's mean diagonal", source="released code", above=0)
    sample: int = hyperparameter(400, "answers of either set for the basis", source="released code", minimum=1)
    length: int = hyperparameter(32, "T, tokens of an answer at most", source="released code", minimum=1)
    rank: int = hyperparameter(32, "r, rank of the adapter", source="released code", minimum=1)
    alpha: float = hyperparameter(64.0, "scaling of the adapter", source="released code", above=0)

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> RoutedModel:
        """Find the bases, train the twin, compare the two on all questions; the model is not touched."""
        assistant = run.earlier_than(model).frozen()
        twin, ups = self.twin_of(assistant)
        run.tell(not_adapted(twin.model))
        bases = self.bases(twin, data, run)

        def step(twin: LanguageModel, batch: Batch) -> Gradient:
            told = assistant.token_logits(batch.retain)[0]
            learning = Gradient.of(mean_nll(*twin.token_logits(batch.forget)), twin)
            staying = Gradient.of(mean_kl(told, *twin.token_logits(batch.retain)), twin)
            return self.forget_weight * within(learning, bases) + staying

        run.minimize(step, twin, data, ups)
        routed = RoutedModel(model, assistant, twin, self, math.inf)
        asked = data.prompted()
        inside, outside = (routed.scores([pair.prompt for pair in pairs]) for pairs in (asked.forget, asked.retain))
        return replace(routed, threshold=best_threshold(inside, outside, self.false_alarms))

    def bases(self, twin: LanguageModel, data: UnlearningData, run: Run) -> list[Tensor]:
        """A basis for each layer."""
        drawn = [run.rng.sample(pairs, min(self.sample, len(pairs))) for pairs in (data.forget, data.retain)]
        by_set = [[nll_gradient(twin, [pair]).parts for pair in pairs] for pairs in drawn]
        forget, retain = ([torch.stack(one).flatten(1) for one in zip(*parts, strict=True)] for parts in by_set)
        return [
            discriminative_basis(gone, kept, self.directions, self.damping)
            for gone, kept in zip(forget, retain, strict=True)
        ]

    def twin_of(self, assistant: LanguageModel) -> tuple[LanguageModel, list[Tensor]]:
        """A copy with an adapter that changes nothing yet, and those of its weights that may move."""
        twin = assistant.copy()
        weights = with_adapter(twin.model, self.rank, self.alpha)
        for name, weight in weights:
            weight.requires_grad_(".lora_B." in name)
        return twin, [weight for _, weight in weights if weight.requires_grad]

    @classmethod
    def restore(cls, model: LanguageModel, kept: Kept) -> RoutedModel:
        """The model behind the two that were kept."""
        facts = dict(kept.facts)
        threshold, method = facts.pop("threshold"), cls(**facts)
        assistant = model.frozen()
        kept.put_into(assistant.model.named_parameters(), "assistant.")
        twin, _ = method.twin_of(assistant)
        kept.put_into(adapter_weights(twin.model), "twin.")
        return RoutedModel(model, assistant, twin, method, float(threshold))


@dataclass
class RoutedModel(Wrapped):
    """The unchanged model, which is not asked where its two assistants disagree."""

    model: LanguageModel
    assistant: LanguageModel
    twin: LanguageModel
    method: CBD
    threshold: float
    _known: dict[str, float] = field(default_factory=dict)

    def scores(self, queries: Sequence[str]) -> list[float]:
        """$s$ of each query."""
        said = self.assistant.generate(queries, self.method.length)
        answers = [self.assistant.answer(text) for text in said]
        both = (voice.distributions(queries, answers) for voice in (self.assistant, self.twin))
        return [symmetric_kl(one.logprobs, other.logprobs) for one, other in zip(*both, strict=True)]

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The assistant, where the two disagree."""
        if query not in self._known:
            (self._known[query],) = self.scores([query])
        return self.assistant if self._known[query] >= self.threshold else self.model

    def to_json(self) -> dict[str, Any]:
        """How the twin was made, and the gate."""
        return {"threshold": self.threshold, **asdict(self.method)}

    def tensors(self) -> dict[str, Tensor]:
        """The assistant's weights, and what the twin has besides."""
        own = {f"assistant.{name}": weight.detach() for name, weight in self.assistant.model.named_parameters()}
        return own | {f"twin.{name}": weight.detach() for name, weight in adapter_weights(self.twin.model)}


def symmetric_kl(one: Tensor, other: Tensor) -> float:
    r"""The mean over T places of $\frac12 [\mathrm{KL}(p \| q) + \mathrm{KL}(q \| p)]$, of (T, V) log-probabilities."""
    return float(((one.exp() - other.exp()) * (one - other)).sum(dim=1).mean() / 2)
