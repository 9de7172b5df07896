r"""What methods share that edit facts in MLPs: objectives, requests by subject, the search for values, several layers.

Patil et al. (2023), section 4, turn editing into deletion with three objectives: the answer becomes unlikely
(``fact-erasure``), a false one likely (``error-injection``), or an empty response likely (``empty-response``).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from reference_impls.toolkit.data import Pair, UnlearningData
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import TokenLogits, mean_kl, mean_nll
from reference_impls.toolkit.mlp_memory import Memory, by_place, changed_output, memories, shifted_at
from reference_impls.toolkit.training import Run
from reference_impls.toolkit.wrong_answers import flipped_answer

RIDGE = 1e-3
"""What is added to the diagonal of C, relative to its mean: keys are often fewer than their dimensions."""


GOOD_ENOUGH = 0.05
"""The loss at which the search for a value stops, unless it erases or is told another."""


def erasure_loss(out: TokenLogits) -> Tensor:
    r"""() $\exp(-\bar\ell) = p(y \mid x)^{1/|y|}$, mean over answers."""
    return out.sequence_nll().neg().exp().mean()


def deletion_loss(objective: str, out: TokenLogits) -> Tensor:
    r"""() $\ell$ of one of Patil et al.'s objectives; those other than erasure are given their answers' tokens."""
    return erasure_loss(out) if objective == "fact-erasure" else mean_nll(out)


def with_ridge(covariance: Tensor) -> Tensor:
    """The matrix with a small multiple of the identity added, relative to its diagonal."""
    return covariance + RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance), device=covariance.device)


def least_squares_update(covariance: Tensor, keys: Tensor, residuals: Tensor, preservation: float) -> Tensor:
    r"""(d, d_ff) $R K^\top (\lambda C + K K^\top)^{-1}$, solved in 64 bits: what `memit` adds to a layer.

    Args:
        covariance: (d_ff, d_ff) $C$.
        keys: (d_ff, n) $K$.
        residuals: (d, n) $R$.
        preservation: $\lambda \ge 0$.
    """
    c, k, r = covariance.double(), keys.double(), residuals.double()
    update: Tensor = torch.linalg.solve(preservation * c + k @ k.T, k @ r.T).T
    return update.to(residuals.dtype)


def null_space(covariance: Tensor, threshold: float) -> Tensor:
    r"""(d_ff, d_ff) $P$, onto the directions that kept text hardly uses, in 64 bits.

    Args:
        covariance: (d_ff, d_ff) $C$, the second moment of kept text's keys.
        threshold: $\tau$, eigenvalues below it are taken for 0.
    """
    values, vectors = torch.linalg.eigh(covariance.double())
    free = vectors[:, values.clamp(min=0) < threshold]  # a moment has none below 0, but for rounding
    projector: Tensor = free @ free.T
    return projector


def projected_update(projector: Tensor, keys: Tensor, residuals: Tensor, ridge: float) -> Tensor:
    r"""(d, d_ff) $R K^\top P (K K^\top P + \mu I)^{-1}$, solved in 64 bits: what `alphaedit` adds to a layer.

    Args:
        projector: (d_ff, d_ff) $P$.
        keys: (d_ff, n) $K$.
        residuals: (d, n) $R$.
        ridge: $\mu > 0$.
    """
    free = projector.double() @ keys.double()
    size = free.T @ free + ridge * torch.eye(free.shape[1], dtype=free.dtype, device=free.device)
    update: Tensor = residuals.double() @ torch.linalg.solve(size, free.T)
    return update.to(residuals.dtype)


@dataclass(frozen=True)
class Request:
    """One subject, and every prompt through which it is to be forgotten."""

    subject: str
    pairs: tuple[Pair, ...]
    """With the answers that the objective is about, and with contexts in front."""


def deletion_answers(pair: Pair, objective: str, response: str, others: Sequence[Pair], rng: random.Random) -> Pair:
    """The pair with the answer that its objective is about: a false one, the empty response, or its own.

    An empty response without words is what ends a text, and nothing else.
    """
    if objective == "error-injection":
        return replace(pair, answer=flipped_answer(pair, others, rng))
    if objective == "empty-response":
        return replace(pair, answer=pair.spaced(response) if response else "", closed=pair.closed or not response)
    return pair


def deletion_requests(
    model: LanguageModel, data: UnlearningData, objective: str, response: str, contexts: int, rng: random.Random
) -> list[Request]:
    """The forget pairs by subject, in order; pairs that name no subject are requests of their own.

    Args:
        model: whose prompts they are; contexts stand inside the turns of its chat template.
        data: what to forget.
        objective: see :func:`deletion_answers`.
        response: the empty response.
        contexts: how many questions with their answers stand before each prompt in turn.
        rng: draws them.
    """
    asked = data.prompted()  # a key is read at the subject's mention in a prompt, and plain texts have none
    others = asked.others
    by_subject: dict[str, list[Pair]] = {}
    for row, pair in enumerate(asked.forget):
        told = deletion_answers(pair, objective, response, others, rng)
        before = rng.sample(others, min(contexts, len(others)))
        told_after = [replace(told, prompt=model.behind(model.shown(context), told.prompt)) for context in before]
        by_subject.setdefault(pair.subject or f"\0{row}", []).extend([told, *told_after])
    return [Request(pairs[0].subject, tuple(pairs)) for pairs in by_subject.values()]


@dataclass(frozen=True)
class ValueSearch:
    r"""How $\delta$ is found: what MEMIT shares with ROME."""

    objective: str
    kl_weight: float
    shrinkage: float
    clamp: float
    enough: float = GOOD_ENOUGH
    """The loss at which it stops, unless it erases."""

    def find(self, model: LanguageModel, module: nn.Module, request: Request, run: Run) -> Tensor:
        r"""(d,) $\delta$ for the output of a module, at the last token of the request's subject."""
        batch, places = model.encode(request.pairs), model.subject_places(request.pairs)
        start = mean_output(model, module, request)
        shift = torch.zeros_like(start, requires_grad=True)
        optimizer = torch.optim.Adam([shift], run.recipe.learning_rate)
        for _ in range(run.recipe.steps):
            with torch.enable_grad():
                with changed_output(module, shifted_at(places, shift)):
                    (out,) = model.token_logits(batch)
                loss = deletion_loss(self.objective, out) + self.shrinkage * shift.norm() / start.norm() ** 2
                if request.subject:
                    loss = loss + self.kl_weight * self._drift(model, module, request.subject, shift)
            if loss < self.enough and self.objective != "fact-erasure":
                break
            (shift.grad,) = torch.autograd.grad(loss, [shift])
            optimizer.step()
            with torch.no_grad():
                shift *= (self.clamp * start.norm() / shift.norm().clamp(min=1e-9)).clamp(max=1)
        return shift.detach()

    def _drift(self, model: LanguageModel, module: nn.Module, subject: str, shift: Tensor) -> Tensor:
        essence = Pair(f"{subject} is a", ".", subject=subject, closed=False)
        batch, places = model.encode([essence]), model.subject_places([essence])
        with torch.no_grad():
            (before,) = model.token_logits(batch)
        with changed_output(module, shifted_at(places, shift)):
            (after,) = model.token_logits(batch)
        return mean_kl(after, before)


Update = Callable[[Tensor, Tensor], Tensor]
"""From (d_ff, n) keys and (d, n) by how much their values are to change, to the (d, d_ff) change of a matrix."""


@dataclass(frozen=True)
class Window:
    """The layers whose MLPs MEMIT and its relatives edit, and how a state is written into all of them together."""

    model: LanguageModel
    layers: range

    @classmethod
    def up_to(cls, model: LanguageModel, depth: float, count: int) -> Window:
        """``count`` layers, or as many as there are, the last of them at a fraction of the depth."""
        last = model.layer_at(depth)
        return cls(model, range(max(0, last - count + 1), last + 1))

    @property
    def memories(self) -> list[Memory]:
        """The memories of these layers, from the lowest on."""
        return memories(self.model, self.layers)

    @torch.no_grad()
    def write(self, requests: Sequence[Request], search: ValueSearch, updates: Sequence[Update], run: Run) -> None:
        """Find a state for every request behind the last layer; each layer does its share of what is left to do.

        Args:
            requests: what is edited.
            search: how states are found, all of them before anything changes.
            updates: each layer's rule, made before anything changes.
            run: its recipe is the search's.
        """
        block, targets = self.model.blocks[self.layers[-1]], []
        for done, request in enumerate(requests):
            shift = search.find(self.model, block, request, run)
            targets.append(mean_output(self.model, block, request) + shift)
            run.progress("finding states", done + 1, len(requests))
        for layer, memory, update in zip(self.layers, self.memories, updates, strict=True):
            keys = mean_keys(self.model, memory, requests)
            now = [mean_output(self.model, block, request) for request in requests]
            left = torch.stack([z - h for z, h in zip(targets, now, strict=True)], dim=1)
            change = update(keys, left / (self.layers[-1] - layer + 1))
            memory.weight.add_(change.to(memory.weight.dtype))


@torch.no_grad()
def mean_keys(model: LanguageModel, memory: Memory, requests: Sequence[Request]) -> Tensor:
    """(d_ff, n) what a memory reads at the last token of each request's subject, mean over its prompts."""
    keys = [memory.subject_keys(model, request.pairs).float().mean(dim=0) for request in requests]
    return torch.stack(keys, dim=1)


@torch.no_grad()
def mean_output(model: LanguageModel, module: nn.Module, request: Request) -> Tensor:
    """(d,) What a module gives at the last token of the subject, mean over the request's prompts."""
    places, kept = model.subject_places(request.pairs), []

    def keep(out: Tensor) -> Tensor:
        kept.append(by_place(out, places.shape)[places].float().mean(dim=0))
        return out

    with changed_output(module, keep):
        model.token_logits(model.encode(request.pairs))
    return kept[0]
