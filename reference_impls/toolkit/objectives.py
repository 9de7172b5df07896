"""Losses and targets that several methods share; what one method adds to them is in its file."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_impls.toolkit.batch import Batch
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import TokenLogits, by_token, mean_kl, mean_nll


def weighted_ascent_loss(out: TokenLogits, weights: Tensor) -> Tensor:
    r"""() $\frac{1}{B} \sum_{(x,y)} \frac{1}{|y|} \sum_t \mathrm{sg}[w_t] \log p_\theta(y_t \mid x, y_{<t})$.

    Args:
        out: logits at the tokens of answers to forget.
        weights: (N,) $w_t$ of each token.
    """
    return out.mean_by_sequence(weights.detach() * out.token_logprobs()).mean()


def bs_t_loss(out: TokenLogits, belief_weight: float, top: int) -> Tensor:
    r"""() Ascent on the true token and on what the model believes in next to it, as `bs-t` defines it.

    Args:
        out: logits at the tokens of answers to forget.
        belief_weight: $\lambda$, the share of the beliefs.
        top: $k$, how many of the likeliest tokens they are.
    """

    def expected(logits: Tensor) -> Tensor:
        """(N,) The beliefs' mean log-probability."""
        logprobs = torch.log_softmax(logits, dim=1)
        believed = logprobs.topk(min(top, logprobs.shape[1]), dim=1).values
        return (torch.softmax(believed.detach(), dim=1) * believed).sum(dim=1)

    beliefs = by_token(expected, (out,))
    return out.mean(belief_weight * beliefs + (1 - belief_weight) * out.token_logprobs())


def inverted_hinge_loss(out: TokenLogits) -> Tensor:
    r"""() $1 + p(y_t) - \max_{v \ne y_t} p(v)$, mean over tokens, then answers: between 0 and 2."""
    return out.mean(by_token(_inverted_hinge, (out,), out.targets))


def _inverted_hinge(logits: Tensor, targets: Tensor) -> Tensor:
    logprobs = torch.log_softmax(logits, dim=1)
    true = logprobs.gather(1, targets[:, None])[:, 0]
    rival = logprobs.scatter(1, targets[:, None], -math.inf).max(dim=1).values
    return 1 + true.exp() - rival.exp()


FORGOTTEN = -5.0
"""The log-probability below which a token is let go (:func:`away_loss`), as in code that several papers share."""


def away_loss(out: TokenLogits) -> Tensor:
    r"""() $-\mathbf 1[\log p_t \ge -5]\, \log(1 - p_t)$ of the true token, mean over tokens, then over answers."""
    return out.mean(by_token(_away, (out,), out.targets))


def _away(logits: Tensor, targets: Tensor) -> Tensor:
    true = logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(dim=1)
    return torch.where(true >= FORGOTTEN, _unlikelihood(logits, targets), 0.0)


def unlikelihood_loss(out: TokenLogits) -> Tensor:
    r"""() $-\log(1 - p_t)$ of the true token, mean over tokens, then over answers; finite however certain it is."""
    return out.mean(by_token(_unlikelihood, (out,), out.targets))


def _unlikelihood(logits: Tensor, targets: Tensor) -> Tensor:
    # 1 - p is what all other tokens have together: taken from p itself, it would be 0 where p rounds to 1.
    rest = logits.scatter(1, targets[:, None], -math.inf).logsumexp(dim=1)
    return logits.logsumexp(dim=1) - rest


def uniform_loss(out: TokenLogits) -> Tensor:
    r"""() $-\frac{1}{V} \sum_v \log p_\theta(v)$ at each token, mean over tokens, then over answers.

    It is $\mathrm{KL}(\mathrm{uniform} \,\|\, p_\theta) + \log V$, at its least where all tokens are equally likely.
    """
    return out.mean(by_token(lambda logits: -torch.log_softmax(logits, dim=1).mean(dim=1), (out,)))


def softened_kl(teacher: TokenLogits, student: TokenLogits, temperature: float) -> Tensor:
    r"""() $T^2\, \mathrm{KL}\big(\mathrm{softmax}(z_q / T) \,\|\, \mathrm{softmax}(z_\theta / T)\big)$.

    Per answer token, mean over tokens, then over answers. The square keeps gradients as long as they are for $T = 1$.

    Args:
        teacher: $z_q$ at the tokens.
        student: $z_\theta$ at the same tokens.
        temperature: $T$.
    """
    soft_teacher, soft_student = (out.with_logits(out.logits / temperature) for out in (teacher, student))
    return temperature**2 * mean_kl(soft_teacher, soft_student)


def generic_logits(baseline: Tensor, reinforced: Tensor, strength: float) -> Tensor:
    r"""(..., V) $v_{\mathrm{baseline}} - \alpha\,\mathrm{ReLU}(v_{\mathrm{reinforced}} - v_{\mathrm{baseline}})$.

    What a model would say without the text that a reinforced copy of it was trained further on.

    Args:
        baseline: (..., V) logits of the model.
        reinforced: (..., V) logits of the copy.
        strength: $\alpha \ge 0$.
    """
    return baseline - strength * torch.relu(reinforced - baseline)


def dpo_loss(chosen_log_ratio: Tensor, rejected_log_ratio: Tensor, beta: float) -> Tensor:
    r"""() $\frac{2}{\beta}\, \mathcal L_{\mathrm{DPO}}$, the mean over pairs.

    Args:
        chosen_log_ratio: (B,) $\log \frac{\pi_\theta(y_w \mid x)}{\pi_{\mathrm{ref}}(y_w \mid x)}$ of whole answers.
        rejected_log_ratio: (B,) the same of $y_l$.
        beta: $\beta > 0$.
    """
    h = chosen_log_ratio - rejected_log_ratio
    return -2 / beta * F.logsigmoid(beta * h).mean()


def npo_loss(logprobs: Tensor, reference_logprobs: Tensor, beta: float) -> Tensor:
    r"""() $\mathcal L_{\mathrm{NPO},\beta}$, the mean of :func:`npo_losses`."""
    return npo_losses(logprobs, reference_logprobs, beta).mean()


def npo_losses(logprobs: Tensor, reference_logprobs: Tensor, beta: float) -> Tensor:
    r"""(B,) $-\frac{2}{\beta} \log \sigma\bigl(-\beta \log \frac{\pi_\theta}{\pi_{\mathrm{ref}}}\bigr)$ of each answer.

    Args:
        logprobs: (B,) $\log \pi_\theta(y \mid x)$ of whole answers.
        reference_logprobs: (B,) $\log \pi_{\mathrm{ref}}(y \mid x)$ of the same answers.
        beta: $\beta > 0$.
    """
    return -2 / beta * F.logsigmoid(-beta * (logprobs - reference_logprobs))


def ascent_or_npo(out: TokenLogits, reference: Tensor | None, objective: str, beta: float) -> Tensor:
    r"""() The forget term of a method that works on top of others: minus the negative log-likelihood, or npo's loss.

    Args:
        out: logits at the tokens of answers to forget.
        reference: (N,) log-probabilities of these tokens before unlearning; ascent does without.
        objective: ``ascent`` or ``npo``.
        beta: npo's $\beta > 0$.
    """
    if objective == "ascent":
        return -mean_nll(out)
    assert reference is not None
    return npo_loss(out.sequence_logprobs(), out.sum_by_sequence(reference), beta)


def log_ratio(out: TokenLogits, reference: Tensor | None) -> Tensor:
    r"""(B,) $\log \pi_\theta(y \mid x) - \log \pi_{\mathrm{ref}}(y \mid x)$ of whole answers.

    Args:
        out: logits of $\pi_\theta$ at their tokens.
        reference: (N,) log-probabilities of these tokens under $\pi_{\mathrm{ref}}$.
    """
    assert reference is not None
    return out.sequence_logprobs() - out.sum_by_sequence(reference)


def dpo_with_retain(model: LanguageModel, batch: Batch, beta: float, retain_weight: float) -> Tensor:
    r"""() $\frac{2}{\beta}\, \mathcal L_{\mathrm{DPO}} + \alpha\, L(\mathcal D_r; \theta)$ in one forward pass.

    Args:
        model: $\pi_\theta$.
        batch: answers to prefer ($y_w$), answers to forget ($y_l$), both with their reference, and retain answers.
        beta: $\beta > 0$.
        retain_weight: $\alpha$.
    """
    chosen, rejected, retain = model.token_logits(batch.preferred, batch.forget, batch.retain)
    better, worse = log_ratio(chosen, batch.preferred.reference), log_ratio(rejected, batch.forget.reference)
    return dpo_loss(better, worse, beta) + retain_weight * mean_nll(retain)


def refusal_and_npo(
    model: LanguageModel, batch: Batch, beta: float, retain_weight: float, importance: Tensor | None = None
) -> Tensor:
    r"""() Learn refusals, unlearn the answers and keep the retain answers, as `door` defines it, in one forward pass.

    Args:
        model: $\pi_\theta$.
        batch: refusals, answers to forget with their reference, and retain answers.
        beta: npo's $\beta > 0$.
        retain_weight: $\lambda$.
        importance: (N,) a factor for each token of the refusals; 1 by default.
    """
    refusal, forget, retain = model.token_logits(batch.preferred, batch.forget, batch.retain)
    assert batch.forget.reference is not None
    unlearned = npo_loss(forget.sequence_logprobs(), forget.sum_by_sequence(batch.forget.reference), beta)
    said = refusal.token_logprobs() if importance is None else importance.detach() * refusal.token_logprobs()
    kept = -retain.sequence_logprobs().sum() / max(1, retain.sequences)
    return unlearned - refusal.sum_by_sequence(said).mean() + retain_weight * kept
