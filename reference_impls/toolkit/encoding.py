"""Text -> tokens: how a question is put to a model, and where prompt, answer and subject lie in a sequence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from catalog.model.questions import framed
from reference_impls.errors import UsageError
from reference_impls.toolkit.data import Pair
from reference_impls.toolkit.logprobs import IGNORE, Encoded
from reference_impls.toolkit.marks import Marks, rendered

MARKS = 2
"""How many tokens a plain text may get around it: one before the first, and one that ends it."""


def conversation(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str:
    """Messages (``role``, ``content``) as the prompt for the assistant's next turn, by the chat template."""
    return rendered(tokenizer, messages, answering=True)


def question(tokenizer: Any, text: str) -> str:
    """A question in the model's chat template if it has one, else as the embedded models were asked."""
    if tokenizer.chat_template:
        return conversation(tokenizer, [{"role": "user", "content": text}])
    return framed(text)


def answer(tokenizer: Any, text: str) -> str:
    """An answer as it follows :func:`question`."""
    return text if tokenizer.chat_template else f" {text}"


def encode(tokenizer: Any, marks: Marks, pairs: Sequence[Pair], rows: Sequence[int] | None, max_length: int) -> Encoded:
    """Tokens, padded on the right. Prompts are cut on the left and answers on the right to ``max_length``."""
    sequences = [tokens(tokenizer, marks, pair, max_length) for pair in pairs]
    length = max(len(prompt) + len(answer) for prompt, answer in sequences)
    ids = torch.full((len(pairs), length), marks.padding)
    mask = torch.zeros(len(pairs), length, dtype=torch.long)
    labels = torch.full((len(pairs), length), IGNORE)
    for row, (prompt, answer) in enumerate(sequences):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor(prompt + answer)
        mask[row, :end] = 1
        labels[row, len(prompt) : end] = torch.tensor(answer)
    indices = torch.tensor(list(range(len(pairs)) if rows is None else rows))
    return Encoded(ids, mask, labels, indices)


def tokens(tokenizer: Any, marks: Marks, pair: Pair, max_length: int) -> tuple[list[int], list[int]]:
    """Prompt and answer as ids, tokenized apart, so that the border between them is exact, cut to ``max_length``."""
    answer = answer_ids(tokenizer, marks, pair)[: max_length - 1]
    return (prompt_ids(tokenizer, pair.prompt) or [marks.first])[-(max_length - len(answer)) :], answer


def size(tokenizer: Any, marks: Marks, pair: Pair) -> int:
    """How many tokens :func:`tokens` has before it cuts."""
    return len(prompt_ids(tokenizer, pair.prompt) or [marks.first]) + len(answer_ids(tokenizer, marks, pair))


def answer_ids(tokenizer: Any, marks: Marks, pair: Pair) -> list[int]:
    """An answer as ids, with what ends it: as the chat template ends a turn, or as a text ends."""
    ending = _ending(marks, pair)
    ids: list[int] = tokenizer(pair.answer + (ending or ""), add_special_tokens=False)["input_ids"]
    return [*ids, marks.end] if ending is None and marks.end is not None else ids


def _ending(marks: Marks, pair: Pair) -> str | None:
    """The words that end an answer; None where the token that ends a text does."""
    return marks.after(pair.prompt) if pair.closed else ""


def prompt_ids(tokenizer: Any, prompt: str) -> list[int]:
    """A prompt as ids: with the token that begins a text, if there is one, without the one that would end it."""
    starts = bool(tokenizer.bos_token) and prompt.startswith(tokenizer.bos_token)
    ids: list[int] = tokenizer(prompt, add_special_tokens=not starts)["input_ids"]
    if ids and ids[-1] == tokenizer.eos_token_id and not prompt.endswith(tokenizer.eos_token):
        ids = ids[:-1]  # some tokenizers close every text; a prompt is open
    return ids


def check_known(tokenizer: Any, ids: Tensor, embeddings: int) -> None:
    """Look whether a model has an embedding of every token.

    Raises:
        UsageError: it has not; names the first that it does not know.
    """
    if ids.numel() and (highest := int(ids.max())) >= embeddings:
        raise UsageError(
            f"The tokenizer writes {tokenizer.convert_ids_to_tokens(highest)!r} as token {highest}, but the model has "
            f"embeddings of {embeddings} tokens alone. Use the model's own tokenizer, or resize its embeddings first."
        )


def subject_places(tokenizer: Any, marks: Marks, pairs: Sequence[Pair], length: int, max_length: int) -> Tensor:
    """(B, L) True where :func:`encode` puts the last token of each pair's subject, in the prompt's last mention.

    A pair that names no subject, or whose prompt does not mention it, is looked up at the prompt's last token.

    Args:
        tokenizer: the model's.
        marks: the model's.
        pairs: B pairs.
        length: L, how long their encoded batch is.
        max_length: what they were cut to.
    """
    mask = torch.zeros(len(pairs), length, dtype=torch.bool)
    for row, pair in enumerate(pairs):
        kept = len(tokens(tokenizer, marks, pair, max_length)[0])
        start = pair.prompt.rfind(pair.subject) if pair.subject else -1
        after = 0 if start < 0 else _tokens_after(tokenizer, pair.prompt, start + len(pair.subject))
        mask[row, max(0, kept - 1 - after)] = True
    return mask


def subject_mentions(tokenizer: Any, marks: Marks, pairs: Sequence[Pair], length: int, max_length: int) -> Tensor:
    """(B, L) True at every token of each pair's subject, wherever prompt or answer mention it.

    Args:
        tokenizer: the model's.
        marks: the model's.
        pairs: B pairs.
        length: L, how long their encoded batch is.
        max_length: what they were cut to.
    """
    mask = torch.zeros(len(pairs), length, dtype=torch.bool)
    for row, pair in enumerate(pairs):
        prompt, answer = (len(part) for part in tokens(tokenizer, marks, pair, max_length))
        asked = _mentions(tokenizer, pair.prompt, pair.subject)
        asked = asked[max(0, len(asked) - prompt) :]
        told = _mentions(tokenizer, pair.answer + (_ending(marks, pair) or ""), pair.subject)[:answer]
        mask[row, prompt - len(asked) : prompt] = torch.tensor(asked, dtype=torch.bool)
        mask[row, prompt : prompt + len(told)] = torch.tensor(told, dtype=torch.bool)
    return mask


def _mentions(tokenizer: Any, text: str, subject: str) -> list[bool]:
    """For each token of a text, whether it is a part of the subject's name."""
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    named = [one.span() for one in re.finditer(re.escape(subject), text)] if subject else []
    return [any(first < end and last > start for start, end in named) for first, last in spans]


def _tokens_after(tokenizer: Any, prompt: str, end: int) -> int:
    """How many of the prompt's tokens begin at or after a character."""
    spans = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return sum(first >= end for first, _ in spans)
