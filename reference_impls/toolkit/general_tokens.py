"""Which tokens of an answer say what it says, and which are language that any answer may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import IGNORE, Encoded, TokenLogits


def general_tokens(model: LanguageModel, pairs: Sequence[Pair], common: float) -> list[frozenset[int]]:
    """For each pair, the tokens that are general in its answer, and no matter of its content.

    These are the tokens of its prompt and of its alternate answers; where it has none, those that more than the share
    ``common`` of all answers have. The special ones, such as the end, are general too.
    """

    def ids(text: str) -> frozenset[int]:
        return frozenset(model.tokenizer(text, add_special_tokens=False)["input_ids"])

    used = Counter(token for pair in pairs for token in ids(pair.answer))
    frequent = frozenset(token for token, count in used.items() if count > max(1.0, common * len(pairs)))
    special = frozenset(model.tokenizer.all_special_ids)
    return [
        special.union(ids(pair.prompt), *(map(ids, pair.alternates) if pair.alternates else [frequent]))
        for pair in pairs
    ]


def specific_tokens(out: TokenLogits, rows: Tensor, general: Sequence[frozenset[int]]) -> Tensor:
    """(N,) which tokens of a batch's answers are not general.

    Args:
        out: logits at these tokens.
        rows: (B,) which pair each sequence is.
        general: of each pair, by :func:`general_tokens`.
    """
    pairs = rows[out.sequence].tolist()
    marked = [token not in general[row] for token, row in zip(out.targets.tolist(), pairs, strict=True)]
    return torch.tensor(marked, dtype=torch.bool, device=out.targets.device)


def common_tokens(model: LanguageModel, pairs: Sequence[Pair], rarity: float) -> Tensor:
    """(V',) the tokens that more than a share of the pairs' answers contain: how things are told, not what."""
    if not pairs:
        return torch.zeros(0, dtype=torch.long, device=model.device)
    labels = [set(model.encode([pair]).labels[0].tolist()) for pair in pairs]
    counts = Counter(token for tokens in labels for token in tokens)
    often = [token for token, count in counts.items() if count > rarity * len(pairs)]
    return torch.tensor(sorted(often), dtype=torch.long, device=model.device)


def private_labels(batch: Encoded, common: Tensor) -> Tensor:
    """(B, L) the labels without tokens that are common or stand in the prompt; all of an answer if none is left."""
    prompt = batch.input_ids.masked_fill(batch.labels != IGNORE, IGNORE)
    asked = (batch.labels[:, :, None] == prompt[:, None, :]).any(dim=2)
    private = batch.labels.masked_fill(asked | torch.isin(batch.labels, common), IGNORE)
    none_left = (private == IGNORE).all(dim=1, keepdim=True)
    return torch.where(none_left, batch.labels, private)
