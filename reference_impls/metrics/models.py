"""Metrics of two whole models: how far apart they are, in what they say and in their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def kl_divergence(reference_logits: Tensor, logits: Tensor) -> float:
    r""":math:`\tfrac1N\sum_n \mathrm{KL}(p_{\mathrm{ref}} \,\|\, p_\theta)` over N places, in nats, at least 0.

    Args:
        reference_logits: (N, V) of the model that is aimed at, such as the retrained one.
        logits: (N, V) of the model that is measured, at the same places; more columns are of tokens that it alone
            knows, so that the other expects none of them.
    """
    p = torch.log_softmax(reference_logits.double(), dim=1)
    q = torch.log_softmax(logits.double(), dim=1)[:, : p.shape[1]]
    return max(0.0, float((p.exp() * (p - q)).sum(dim=1).mean()))


def relative_distance(weights: Any, target: Any, retrained: Any) -> float:
    r""":math:`\lVert\theta-\theta_{\mathrm{ret}}\rVert_2 / \lVert\theta_{\mathrm{tar}}-\theta_{\mathrm{ret}}\rVert_2`.

    1 for the target itself, 0 for the retrained model, more than 1 for what went elsewhere.

    Args:
        weights: the measured module.
        target: the module before unlearning.
        retrained: the module without the forget set; all three of one architecture.

    Raises:
        ValueError: target and retrained are the same, or the modules differ in their parameters.
    """
    apart = parameter_distance(target, retrained)
    if apart == 0:
        raise ValueError("the target and the retrained model are the same, so there is no distance to compare with")
    return parameter_distance(weights, retrained) / apart


def parameter_distance(one: Any, other: Any) -> float:
    r""":math:`\lVert\theta_1 - \theta_2\rVert_2` over all parameters, each counted once.

    Raises:
        ValueError: the modules differ in their parameters.
    """
    first, second = dict(one.named_parameters()), dict(other.named_parameters())
    shapes = [{name: weight.shape for name, weight in each.items()} for each in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError("the models have different parameters")
    squares = [(first[name].detach().double() - second[name].detach().double()).square().sum() for name in first]
    return float(torch.stack(squares).sum().sqrt())


def depth_score(lacking: Sequence[Sequence[float]], erased: Sequence[Sequence[float]], threshold: float) -> float:
    r"""The unlearning depth score: how much of what the retrained model's layers lack, the unlearned one's lack, too.

    Mean over questions :math:`i` (Lee et al., arXiv 2605.24614, section 3) of

    .. math::
        \frac{\sum_{l} \Delta^{\mathrm{ret}}_{i,l}\,
        \mathrm{clip}(\Delta_{i,l} / \Delta^{\mathrm{ret}}_{i,l}, 0, 1)}{\sum_l \Delta^{\mathrm{ret}}_{i,l}}
        \quad\text{over the layers with } \Delta^{\mathrm{ret}}_{i,l} > \tau.

    0 for the target, 1 for the retrained model. A question without such a layer says nothing, and does not count.

    Args:
        lacking: for each question and layer, the log-probability per token that the answer loses in the target when the
            layer's states come from the retrained model instead.
        erased: the same with the states of the unlearned model.
        threshold: :math:`\tau`, from which loss on a layer is said to hold the answer.

    Raises:
        ValueError: no layer holds any answer.
    """
    scores = []
    for mine, theirs in zip(lacking, erased, strict=True):
        holding = [(delta_ret, delta) for delta_ret, delta in zip(mine, theirs, strict=True) if delta_ret > threshold]
        if holding:
            scores.append(
                sum(min(max(delta, 0.0), delta_ret) for delta_ret, delta in holding)
                / sum(delta_ret for delta_ret, _ in holding)
            )
    if not scores:
        raise ValueError("no layer of the target holds an answer that the retrained model lacks")
    return sum(scores) / len(scores)
