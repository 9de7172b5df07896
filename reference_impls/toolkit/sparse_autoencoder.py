r"""Sparse autoencoders: states as sums of a few directions out of many, which often mean something each.

A state $x \in \mathbb R^d$ is read as $m > d$ features, of which at most $k$ are more than 0, and written as their sum:

$$
z = \mathrm{top}_k\left( \mathrm{ReLU}\left( W_e (x - b_d) + b_e \right) \right), \qquad \hat x = W_d^\top z + b_d .
$$

Who changes a feature changes a state by a multiple of its direction, and leaves what the features do not explain.
Published ones (:mod:`~reference_impls.toolkit.published_autoencoders`) may have no $k$, and a threshold for each
feature.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from reference_impls.errors import UsageError
from reference_impls.toolkit.changed_states import ChangedStates
from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.unlearned_model import UnlearnedModel
from reference_impls.toolkit.wrapper import Kept, Wrapped

EXPANSION = 16
"""How many features there are for each dimension of a state; no more than there are states to learn of."""
STEPS, BATCH, RATE = 200, 512, 2e-3
"""Of the training: steps, states in each, and Adam's learning rate, which falls to 0."""
MOST = 2**17
"""Of how many states an autoencoder learns, at most."""
SHORTEST = 1e-12
"""What keeps quotients finite where all states are the same."""
PARTS = ("encoder", "encoder_bias", "decoder", "decoder_bias")


@dataclass(frozen=True)
class SparseAutoencoder:
    """Features of states (..., d), in float32."""

    encoder: Tensor
    """(m, d) $W_e$."""
    encoder_bias: Tensor
    """(m,) $b_e$."""
    decoder: Tensor
    """(m, d) $W_d$: a feature's direction in each row, of length 1 where it was learned here."""
    decoder_bias: Tensor
    """(d,) $b_d$."""
    active: int
    """k; m where nothing but their being above 0, or above the threshold, decides."""
    threshold: Tensor | None = None
    """(m,) above which a feature is active, in a JumpReLU's place of 0; with none, 0."""

    def before(self, states: Tensor) -> Tensor:
        """(..., m) what the features are before ReLU and choice."""
        return (states.float() - self.decoder_bias) @ self.encoder.T + self.encoder_bias

    def chosen(self, before: Tensor) -> Tensor:
        """(..., m) features of what they are before: what is above 0 or the threshold, and among the k largest."""
        found = before.relu() if self.threshold is None else before.relu() * (before > self.threshold)
        if self.active >= before.shape[-1]:
            return found
        values, places = found.topk(self.active, dim=-1)
        return torch.zeros_like(before).scatter(-1, places, values)

    def encode(self, states: Tensor) -> Tensor:
        """(..., m) features."""
        return self.chosen(self.before(states))

    def decode(self, features: Tensor) -> Tensor:
        """(..., d) states as features tell them."""
        return features @ self.decoder + self.decoder_bias

    def explained(self, states: Tensor) -> float:
        """The share of the variance of (N, d) states that the features tell."""
        states = states.float()
        left = (states - self.decode(self.encode(states))).square().sum()
        return float(1 - left / (states - states.mean(dim=0)).square().sum())

    def tensors(self) -> dict[str, Tensor]:
        """The weights, by name."""
        kept = {name: getattr(self, name).contiguous() for name in PARTS}
        return kept if self.threshold is None else {**kept, "threshold": self.threshold.contiguous()}

    def to(self, device: torch.device) -> SparseAutoencoder:
        """The same on another device."""
        return self.restore(self.tensors(), self.active, device)

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], active: int, device: torch.device) -> SparseAutoencoder:
        """From :meth:`tensors`."""
        parts = {name: tensors[name].to(device) for name in (*PARTS, "threshold") if name in tensors}
        return cls(**parts, active=active)

    @classmethod
    def trained(
        cls, states: Tensor, seed: int, *, expansion: int = EXPANSION, active: int | None = None, steps: int = STEPS
    ) -> SparseAutoencoder:
        r"""One that learned to write (N, d) states again, by their squared distance $\lVert x - \hat x \rVert^2$.

        The directions begin as those of states drawn at random, so that hardly a feature is never active.

        Args:
            states: of texts to forget and to keep: what is read as features of one set alone would look like nothing
                in the other.
            seed: decides what is drawn.
            expansion: how many features there are for each dimension.
            active: k; by default the root of d, which is as many as those of large models have.
            steps: of the training.
        """
        active = math.isqrt(states.shape[1]) if active is None else active
        drawn = torch.Generator().manual_seed(seed)

        def some(count: int) -> Tensor:
            return states[torch.randint(len(states), (count,), generator=drawn).to(states.device)]

        with torch.enable_grad():
            mean = states.mean(dim=0)
            scale = (states - mean).square().sum(dim=1).mean().sqrt().clamp(min=SHORTEST)
            features = min(expansion * states.shape[1], len(states))
            noise = torch.randn(features, states.shape[1], generator=drawn).to(states)
            directions = normalize(normalize(some(features) - mean, dim=1) + 0.01 * normalize(noise, dim=1), dim=1)
            learned = [directions.clone(), torch.zeros_like(directions[:, 0]), directions, torch.zeros_like(mean)]
            weights = [one.detach().requires_grad_() for one in learned]
            optimizer = torch.optim.Adam(weights, RATE)
            schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
            encoder, encoder_bias, decoder, decoder_bias = weights
            one = cls(encoder, encoder_bias, decoder, decoder_bias, active)
            with torch.no_grad():  # directions that look alike are active together, and would add up to too much
                first = (some(BATCH) - mean) / scale
                told = one.decode(one.encode(first))
                one.encoder.mul_((first * told).sum() / told.square().sum().clamp(min=SHORTEST))
            for _ in range(steps):
                batch = (some(BATCH) - mean) / scale
                loss = (batch - one.decode(one.encode(batch))).square().sum(dim=1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                with torch.no_grad():
                    one.decoder.copy_(normalize(one.decoder, dim=1))
        return cls(
            encoder.detach(),
            scale * encoder_bias.detach(),
            decoder.detach(),
            scale * decoder_bias.detach() + mean,
            active,
        )


@torch.no_grad()
def token_states(model: LanguageModel, module: nn.Module, pairs: Sequence[Pair]) -> Iterator[Tensor]:
    """(T, d) for each pair, in order: what a block or a projection gives at its tokens, in float32.

    Args:
        model: what reads the pairs.
        module: the block or projection.
        pairs: prompts with their answers.
    """
    for batch in model.encoded(pairs):
        (states,) = model.outputs(batch, [module])
        for row, tokens in zip(states, batch.attention_mask.bool(), strict=True):
            yield row[tokens].float()


def autoencoder_of(
    model: LanguageModel, module: nn.Module, pairs: Sequence[Pair], seed: int, **options: int
) -> SparseAutoencoder:
    """An autoencoder of what a module gives at the tokens of texts, without each text's first.

    The first token of a text sees none but itself, and in large models its state is out of all proportion.

    Args:
        model: what reads the pairs.
        module: a block, or a projection that writes to the residual stream.
        pairs: texts to forget and to keep.
        seed: decides what is drawn.
        options: of :meth:`SparseAutoencoder.trained`.

    Raises:
        UsageError: there are no such states.
    """
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed)).tolist()
    found, count = [], 0
    for states in token_states(model, module, [pairs[row] for row in order]):
        found.append(states[1:])
        count += len(found[-1])
        if count >= MOST:
            break
    if not count:
        raise UsageError("There is nothing to learn features of: no text has two tokens. Give longer texts.")
    return SparseAutoencoder.trained(torch.cat(found)[:MOST], seed, **options)


@dataclass(frozen=True)
class Activity:
    """How features behave over the tokens of a set of texts."""

    share: Tensor
    """(m,) on which share of the tokens each is active."""
    mean: Tensor
    """(m,) its mean over all tokens."""

    @classmethod
    def of(cls, autoencoder: SparseAutoencoder, texts: Iterable[Tensor]) -> Activity:
        """Over (T, d) states of texts."""
        features = len(autoencoder.encoder)
        share, total = (torch.zeros(features, dtype=torch.double) for _ in range(2))
        count = 0
        for states in texts:
            found = autoencoder.encode(states).cpu().double()
            share, total, count = share + (found > 0).sum(dim=0), total + found.sum(dim=0), count + len(found)
        return cls(share / max(1, count), total / max(1, count))

    @property
    def when_active(self) -> Tensor:
        """(m,) the mean over tokens at which a feature is active; 0 where it never is."""
        return torch.where(self.share > 0, self.mean / self.share, 0.0)


def contrasted(forget: Activity, retain: Activity, count: int, ratio: float) -> Tensor:
    """(n,) features that show more often in what is to be forgotten, and are more there.

    Of those that do so the most, ten times as many as asked for, the first whose mean on the forget set is at least
    ``ratio`` times that on the retain set (as in CRISP's released code).

    Args:
        forget: how features behave on the forget set.
        retain: how they behave on the retain set.
        count: how many, at most.
        ratio: how many times.
    """
    more = forget.share - retain.share
    likely = more.sort(descending=True, stable=True).indices[: 10 * count]
    much = (forget.mean[likely] > 0) & (forget.mean[likely] >= ratio * retain.mean[likely])
    return likely[much][:count]


@dataclass(frozen=True)
class Clamp:
    r"""A change of states: chosen features that are active are set to $-c_i$.

    $x' = x - \sum_i \mathbf 1_{z_i > \theta_i}\, (c_i + z_i)\, d_i$: what the features do not tell is kept, so that a
    state in which none of them is active stays as it is.
    """

    autoencoder: SparseAutoencoder
    features: Tensor
    """(n,) which."""
    floor: Tensor
    """(n,) $c_i$."""
    above: Tensor | None = None
    r"""(n,) $\theta_i$, from where on a feature counts as active; with none, 0."""

    def active(self, states: Tensor) -> Tensor:
        """(...) whether any of them is active in (..., d) states."""
        return self._counts(self.autoencoder.encode(states)[..., self.features]).any(dim=-1)

    def __call__(self, states: Tensor) -> Tensor:
        """(..., d) of (..., d)."""
        found = self.autoencoder.encode(states)[..., self.features]
        change = torch.where(self._counts(found), found + self.floor, 0.0)
        return states - (change @ self.autoencoder.decoder[self.features]).to(states.dtype)

    def _counts(self, found: Tensor) -> Tensor:
        return found > (0 if self.above is None else self.above)

    def tensors(self) -> dict[str, Tensor]:
        """What it is made of, by name."""
        kept = {**self.autoencoder.tensors(), "features": self.features.contiguous(), "floor": self.floor.contiguous()}
        return kept if self.above is None else {**kept, "above": self.above.contiguous()}

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], active: int, device: torch.device) -> Clamp:
        """From :meth:`tensors`."""
        autoencoder = SparseAutoencoder.restore(tensors, active, device)
        parts = (tensors[name].to(device) for name in ("features", "floor", "above") if name in tensors)
        return cls(autoencoder, *parts)


@dataclass
class Clamped(Wrapped):
    """The unchanged model, behind one block of which features are clamped."""

    model: LanguageModel
    layer: int
    clamp: Clamp

    @cached_property
    def changed(self) -> LanguageModel:
        """The model with the clamp in it."""
        return ChangedStates.of(self.model, {self.model.blocks[self.layer]: self.clamp})

    def speaker(self, query: str, answer: str | None = None) -> UnlearnedModel:
        """The changed model, whatever is asked."""
        return self.changed

    def to_json(self) -> dict[str, Any]:
        """Which block, and how many features may be active."""
        return {"layer": self.layer, "active": self.clamp.autoencoder.active}

    def tensors(self) -> dict[str, Tensor]:
        """The autoencoder, and what is clamped of it."""
        return self.clamp.tensors()

    @classmethod
    def kept_parts(cls, model: LanguageModel, kept: Kept) -> tuple[LanguageModel, int, Clamp]:
        """What it is made of, from what was kept."""
        clamp = Clamp.restore(kept.tensors, int(kept.facts["active"]), model.device)
        return model, int(kept.facts["layer"]), clamp
