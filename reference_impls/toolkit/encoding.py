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
from reference_impls.toolkit.marks import Marks, Span, Turns, as_told, rendered, spelled

_Spelled = tuple[list[int], list[Span]]
"""Tokens, and where they stand in their text."""

MARKS = 2
"""How many tokens a plain text may get around it: one before the first, and one that ends it."""


def conversation(tokenizer: Any, turns: Turns | None, messages: Sequence[Mapping[str, str]]) -> str:
    """Messages (``role``, ``content``) as the prompt for the assistant's next turn, by the chat template.

    All that the template writes before an answer is part of it, also what its own prompts lack.
    """
    prompt = rendered(tokenizer, messages, answering=True)
    return prompt if turns is None else turns.opened(prompt)


def question(tokenizer: Any, turns: Turns | None, text: str) -> str:
    """A question in the model's chat template if it has one, else as the embedded models were asked."""
    if tokenizer.chat_template:
        return conversation(tokenizer, turns, [{"role": "user", "content": text}])
    return framed(text)


def answer(tokenizer: Any, turns: Turns | None, text: str) -> str:
    """An answer as it follows :func:`question`."""
    if not tokenizer.chat_template:
        return f" {text}"
    return text if turns is None else as_told(tokenizer, turns, text)


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
    """Prompt and answer as ids, cut to ``max_length``; see :func:`_ids`."""
    prompt, answer = _ids(tokenizer, marks, pair)
    answer = answer[: max_length - 1]
    return (prompt or [marks.first])[-(max_length - len(answer)) :], answer


def size(tokenizer: Any, marks: Marks, pair: Pair) -> int:
    """How many tokens :func:`tokens` has before it cuts."""
    prompt, answer = _ids(tokenizer, marks, pair)
    return len(prompt or [marks.first]) + len(answer)


def _ids(tokenizer: Any, marks: Marks, pair: Pair) -> tuple[list[int], list[int]]:
    """Prompt and answer as ids, with what ends the answer: as the chat template ends a turn, or as a text ends.

    In a chat template's turn they are tokenized together, as the template's texts are wherever models are trained;
    else apart, so that the border between them is exact.
    """
    ending = _ending(marks, pair)
    if together := _together(tokenizer, marks, pair):
        (prompt, _), (answer, _) = together
        prompt = [*_marks_before(tokenizer, pair.prompt), *prompt]
    else:
        prompt = prompt_ids(tokenizer, pair.prompt, marks)
        answer = tokenizer(pair.answer + (ending or ""), add_special_tokens=False)["input_ids"]
    return prompt, [*answer, marks.end] if ending is None and marks.end is not None else answer


def _together(tokenizer: Any, marks: Marks, pair: Pair) -> tuple[_Spelled, _Spelled] | None:
    """Prompt and answer where they are tokenized together, and where their tokens stand in the text of both."""
    if not marks.in_turn(pair.prompt) or marks.turns is None:
        return None
    opens = marks.opens(pair.prompt)
    border = len(pair.prompt) - (marks.turns.held if opens else 0)
    text = pair.prompt + pair.answer + (_ending(marks, pair) or "")
    ids, spans = spelled(tokenizer, text)
    count = next((place for place, (_, end) in enumerate(spans) if end > border), len(ids))
    begun = count < len(spans) and text[spans[count][0] : border].strip()
    if begun and not opens:
        return None  # a word of which the prompt has a part: what is said has to begin at the border
    return (ids[:count], spans[:count]), (ids[count:], spans[count:])


def _ending(marks: Marks, pair: Pair) -> str | None:
    """The words that end an answer; None where the token that ends a text does."""
    return marks.after(pair.prompt) if pair.closed else ""


def prompt_ids(tokenizer: Any, prompt: str, marks: Marks | None = None) -> list[int]:
    """A prompt as ids: with the token that begins a text, if there is one, without the one that would end it.

    One at whose end a turn's answer begins has the tokens that it has before answers.
    """
    if marks is not None and marks.turns is not None and marks.opens(prompt):
        together = _together(tokenizer, marks, Pair(prompt, marks.turns.sample, closed=False))
        if together is not None:
            return [*_marks_before(tokenizer, prompt), *together[0][0]]
    starts = bool(tokenizer.bos_token) and prompt.startswith(tokenizer.bos_token)
    ids: list[int] = tokenizer(prompt, add_special_tokens=not starts)["input_ids"]
    if ids and ids[-1] == tokenizer.eos_token_id and not prompt.endswith(tokenizer.eos_token):
        ids = ids[:-1]  # some tokenizers close every text; a prompt is open
    return ids


def _marks_before(tokenizer: Any, text: str) -> list[int]:
    """What a tokenizer puts before a text by itself."""
    if tokenizer.bos_token and text.startswith(tokenizer.bos_token):
        return []
    marked, bare = (tokenizer("a", add_special_tokens=add)["input_ids"] for add in (True, False))
    places = range(len(marked) - len(bare) + 1)
    return next((list(marked[:place]) for place in places if marked[place : place + len(bare)] == bare), [])


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
        after = 0
        if start >= 0:
            asked, _ = _spans(tokenizer, marks, pair)
            after = sum(first >= start + len(pair.subject) for first, _ in asked)
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
        asked, told = (_within(spans, mentioned(pair)) for spans in _spans(tokenizer, marks, pair))
        asked, told = asked[max(0, len(asked) - prompt) :], told[:answer]
        mask[row, prompt - len(asked) : prompt] = torch.tensor(asked, dtype=torch.bool)
        mask[row, prompt : prompt + len(told)] = torch.tensor(told, dtype=torch.bool)
    return mask


def answer_tokens_within(tokenizer: Any, marks: Marks, pair: Pair, spans: Sequence[Span]) -> list[bool]:
    """For each of an answer's tokens that is in its text, whether it is a part of one of some spans of it."""
    start = len(pair.prompt)
    _, told = _spans(tokenizer, marks, pair)
    return _within(told, [(first + start, last + start) for first, last in spans])


def _spans(tokenizer: Any, marks: Marks, pair: Pair) -> tuple[list[Span], list[Span]]:
    """Where each token of prompt and answer stands in the text of both; marks that are in no text are left out."""
    if together := _together(tokenizer, marks, pair):
        (_, asked), (_, told) = together
        return asked, told
    start = len(pair.prompt)
    _, asked = spelled(tokenizer, pair.prompt)
    _, told = spelled(tokenizer, pair.answer + (_ending(marks, pair) or ""))
    return asked, [(first + start, last + start) for first, last in told]


def mentioned(pair: Pair) -> list[Span]:
    """Where the text of a pair, its prompt followed by its answer, names its subject; not across the border."""
    texts = ((0, pair.prompt), (len(pair.prompt), pair.answer)) if pair.subject else ()
    return [
        (start + one.start(), start + one.end())
        for start, text in texts
        for one in re.finditer(re.escape(pair.subject), text)
    ]


def _within(spans: Sequence[Span], named: Sequence[Span]) -> list[bool]:
    """For each token, whether it is a part of what is named."""
    return [any(first < end and last > start for start, end in named) for first, last in spans]
