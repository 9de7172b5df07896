"""Features of what blocks of a model give, and where they show: of autoencoders learned here, or of published ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from reference_impls.errors import UsageError
from reference_impls.toolkit.data import UnlearningData
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.mlp_memory import memories
from reference_impls.toolkit.published_autoencoders import Published, Site, read_autoencoder
from reference_impls.toolkit.sparse_autoencoder import (
    Activity,
    Clamp,
    SparseAutoencoder,
    autoencoder_of,
    token_states,
)
from reference_impls.toolkit.training import Run

READS = {"blocks": "the residual stream behind a block", "memories": "what an MLP writes"}


@dataclass(frozen=True)
class Features:
    """The features of one block, and how they behave on both sets."""

    layer: int
    module: nn.Module
    """What gives the states: the block, or the projection with which its MLP writes."""
    autoencoder: SparseAutoencoder
    forget: Activity
    retain: Activity


def features_of(
    model: LanguageModel, layers: Sequence[int], data: UnlearningData, run: Run, site: Site = "blocks"
) -> Iterator[Features]:
    """The features of blocks, first to last, each as it is asked for.

    Where the run names autoencoders, they say which blocks; else one is learned for each block, from the data's texts.

    Args:
        model: what reads the texts.
        layers: which blocks a method looks at by itself; where that is one, it cannot do with more.
        data: the texts.
        run: which names autoencoders, and whose seed decides what is drawn.
        site: what they read of a block.

    Raises:
        UsageError: there are no states to learn of, or an autoencoder that was named does not fit.
    """
    published = _published(model, run, site, alone=len(layers) == 1)
    chosen = sorted(published) if published else list(layers)
    for row, layer in enumerate(chosen):
        run.progress("looking at features" if published else "learning features", row, len(chosen))
        module = model.blocks[layer] if site == "blocks" else memories(model, [layer])[0].module
        autoencoder = published.get(layer) or autoencoder_of(model, module, [*data.forget, *data.retain], run.seed)
        forget, retain = (
            Activity.of(autoencoder, token_states(model, module, pairs)) for pairs in (data.forget, data.retain)
        )
        yield Features(layer, module, autoencoder, forget, retain)


def clamp_of(of: Features, count: int, threshold: float, strength: float, least: float = 0.0) -> Clamp:
    """A clamp of the features that show most in what is to be forgotten, and hardly in what is to stay.

    Args:
        of: the features, and how they behave on both sets.
        count: how many are clamped, at most.
        threshold: which share of the retain set's tokens is too much.
        strength: how far down, in multiples of what a feature is on the forget set when active.
        least: from where on a feature is clamped, in such multiples.

    Raises:
        UsageError: no feature is active on the forget set alone.
    """
    shares = of.forget.share.masked_fill(of.retain.share >= threshold, 0)
    chosen = shares.topk(min(count, int((shares > 0).sum()))).indices
    if not len(chosen):
        raise UsageError("Every feature of the forget set is active in the retain set; set a larger retain_threshold.")
    device = of.autoencoder.encoder.device
    usual = of.forget.when_active[chosen].float().to(device)
    return Clamp(of.autoencoder, chosen.to(device), strength * usual, least * usual if least else None)


def _published(model: LanguageModel, run: Run, site: Site, *, alone: bool) -> dict[int, SparseAutoencoder]:
    """Those that the run names, by block."""
    if alone and len(run.autoencoders) > 1:
        raise UsageError(
            f"The method works at one block, and {len(run.autoencoders)} autoencoders are named: leave --autoencoder "
            "once."
        )
    found: dict[int, SparseAutoencoder] = {}
    for named in run.autoencoders:
        one = read_autoencoder(named, model.width, model.layers, model.device)
        _check(one, named, site, found)
        found[one.layer] = one.autoencoder
    return found


def _check(one: Published, named: str, site: Site, found: dict[int, SparseAutoencoder]) -> None:
    if one.site is not None and one.site != site:
        raise UsageError(f"{named} is an autoencoder of {READS[one.site]}, and the method needs one of {READS[site]}.")
    if one.layer in found:
        raise UsageError(f"Two autoencoders of block {one.layer} are named; leave one of them out.")
