r"""Membership inference: scores of one text, higher if it looks like training data, and what attackers make of them.

With :math:`\ell_t = -\log p_\theta(y_t \mid y_{<t})`. Whether a score tells members from others is its AUC; after
unlearning the aim is the retrained model's AUC, and *not* the smallest: a text that has become less likely than unseen
ones is marked by that too.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

from torch import Tensor

from reference_impls.metrics.sets import mean


def loss_score(logprobs: Sequence[float]) -> float:
    r""":math:`-\tfrac1T\sum_t\ell_t`. Source: Yeom et al. (arXiv 1709.01604)."""
    return mean(logprobs)


def zlib_score(logprobs: Sequence[float], text: str) -> float:
    r""":math:`-\tfrac1T\sum_t\ell_t \,/\, |\mathrm{zlib}(y)|`, with the length of the compressed text in bytes.

    Sets the loss against how much the text says at all. Source: Carlini et al. (arXiv 2012.07805), in the form of
    MIMIR (arXiv 2402.07841) and OpenUnlearning.
    """
    return mean(logprobs) / len(zlib.compress(text.encode()))


def reference_score(logprobs: Sequence[float], reference: Sequence[float]) -> float:
    r"""The mean log-probability minus that under a reference model, which has not seen the text.

    Source: Carlini et al. (arXiv 2012.07805).
    """
    return mean(logprobs) - mean(reference)


def min_k_score(logprobs: Sequence[float], share: float = 0.4) -> float:
    r"""Mean of the lowest ``share`` of the tokens' log-probabilities, at least one of them.

    A text that was trained on has few surprising tokens. Source: Shi et al. (arXiv 2310.16789), Min-K%; MUSE takes 40%.
    """
    return mean(_lowest(logprobs, share))


def min_k_plus_plus_score(
    logprobs: Sequence[float], expected: Sequence[float], deviation: Sequence[float], share: float = 0.4
) -> float:
    r"""Mean of the lowest ``share`` of :math:`(\log p(y_t) - \mu_t) / \sigma_t`.

    :math:`\mu_t` and :math:`\sigma_t` are mean and standard deviation of the log-probability over the model's own
    distribution at that place. Source: Zhang et al. (arXiv 2404.02936), Min-K%++. Where the model is certain
    (:math:`\sigma_t = 0`) the token is as expected and counts 0.
    """
    rows = zip(logprobs, expected, deviation, strict=True)
    return mean(_lowest([(logprob - mu) / sigma if sigma > 0 else 0.0 for logprob, mu, sigma in rows], share))


def gradient_norm_score(gradients: Sequence[Tensor], order: float = 2.0) -> float:
    r""":math:`-\tfrac1J\sum_j \lVert \partial \bar\ell / \partial W_j \rVert_p` over J parameters.

    What was learned pulls no more. The mean of the parameters' norms, not the norm of the whole gradient. Source:
    MIMIR (arXiv 2402.07841) and OpenUnlearning, with p = 2.

    Args:
        gradients: of the text's mean loss, one tensor per parameter.
        order: p.
    """
    return -mean([float(gradient.detach().double().norm(order)) for gradient in gradients])


def _lowest(values: Sequence[float], share: float) -> list[float]:
    return sorted(values)[: max(1, int(len(values) * share))]


def privacy_leakage(auc: float, retrained: float) -> float:
    r"""MUSE's PrivLeak, :math:`100\,\frac{A - A_{\mathrm{ret}}}{A_{\mathrm{ret}}}` with :math:`A = 1 - \mathrm{AUC}`.

    Args:
        auc: chance that a forget text scores higher than an unseen one, under the unlearned model.
        retrained: the same under the retrained model.

    Returns:
        0 if the two are alike; negative while the forget set is still recognizable as training data (-100 if fully),
        positive if it has become less likely than unseen text. Source: MUSE (arXiv 2407.06460), section 3.1; its
        paper takes the AUC of the loss, so that a member has the *lower* value, hence the complement.

    Raises:
        ValueError: under the retrained model every forget text scores higher, so there is nothing to divide by.
    """
    if not retrained < 1 or math.isnan(auc):
        raise ValueError("privacy leakage is not defined where the retrained model recognizes every forget text")
    return 100 * ((1 - auc) - (1 - retrained)) / (1 - retrained)
