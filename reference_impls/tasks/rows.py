"""The forms in which data files say what to forget and keep, those of benchmarks among them, as pairs of a model.

===================================================  ===============================================================
``prompt``, ``completion`` (``response``, ``gt``)     as they are, without a chat template; MUSE's verbatim set
``text``                                             a passage as it stands; MUSE's corpora, WMDP's
``messages``                                         a chat, of which the last answer counts; also ``prompt`` and
                                                     ``completion`` as lists of messages, and ``conversations``
                                                     (``from``, ``value``)
``question``, ``answer`` (``query``, ``answer``)     put as the model is asked; TOFU, MUSE's questions, RWKU
``instruction``, ``output``, maybe ``input``         the same, of instruction data
===================================================  ===============================================================

Besides, in any form: ``subject``, and what TOFU's perturbed sets have (``paraphrased_answer``, ``perturbed_answer``,
``paraphrased_question``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import TemplateError

from reference_impls.toolkit import LanguageModel, Pair, UsageError

FORM = (
    'Each row is {"prompt": ..., "completion": ...}, {"question": ..., "answer": ...}, {"messages": [...]}, '
    '{"instruction": ..., "output": ...} or {"text": ...}.'
)
RAW = (("prompt", "completion"), ("prompt", "response"), ("prompt", "gt"))
ASKED = (("question", "answer"), ("query", "answer"), ("instruction", "output"))
CHATS = ("messages", "conversations")
SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
"""Who speaks in ``conversations``, as ``messages`` say it."""
ABOUT = ("subject", "paraphrased_answer", "perturbed_answer", "paraphrased_question")
"""What any row may say besides."""
KNOWN = tuple(dict.fromkeys(key for names in (*RAW, ("text",), CHATS, *ASKED, ("input",), ABOUT) for key in names))

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Said:
    """What a row says, whatever its form: one of a passage, a prompt, a question, or a chat, and an answer."""

    answer: str
    used: frozenset[str]
    """The keys that were read."""
    prompt: str | None = None
    """Text that comes before the answer as it is."""
    question: str | None = None
    """What is asked, in the model's own format."""
    chat: tuple[Mapping[str, str], ...] = ()
    """Messages before the answer."""

    @property
    def is_text(self) -> bool:
        """Whether it is a passage that goes on as it stands."""
        return self.prompt is None and self.question is None and not self.chat


class RowError(ValueError):
    """What is wrong with a row, for people."""


def problem(row: Any) -> str:
    """What is wrong with a row; empty if nothing is."""
    try:
        said = read(row)
        _check_about(row)
    except RowError as error:
        return str(error)
    texts = [said.answer, said.prompt or "", said.question or "", *(message["content"] for message in said.chat)]
    broken = any("\ud800" <= character <= "\udfff" for text in texts for character in text)
    return "holds half of a character (a lone surrogate such as \\ud800)" if broken else ""


def unused(row: Mapping[str, Any]) -> list[str]:
    """The keys of a good row that nothing reads."""
    read_keys = read(row).used | frozenset(ABOUT)
    return [key for key in _without_nothing(row) if key not in read_keys]


def _without_nothing(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without what it leaves open: tables have all columns in each row, and JSON made of them holds nulls."""
    return {key: value for key, value in row.items() if value is not None}


def nearest(key: str) -> str:
    """The known key that was probably meant; empty if none is near."""
    near = difflib.get_close_matches(key, [known for known in KNOWN if known != key], n=1, cutoff=0.75)
    return near[0] if near else ""


def read(row: Any) -> Said:
    """What a row says, by the first form that fits.

    Raises:
        RowError: none fits, or an answer is empty.
    """
    if not isinstance(row, dict):
        raise RowError(f"a {type(row).__name__}, not an object")
    given, row = row, _without_nothing(row)
    for keys in RAW:
        if (raw := _raw(row, *keys)) is not None:
            return raw
    if isinstance(row.get("text"), str):
        return Said(_filled(row["text"], "text"), frozenset(["text"]))
    for key in CHATS:
        if isinstance(row.get(key), list):
            return _chat(row[key] if key == "messages" else _spoken(row[key]), [key])
    for keys in ASKED:
        if (asked := _asked(row, *keys)) is not None:
            return asked
    for prompt, answer in (*RAW[:1], *ASKED):
        if prompt in given and answer in given:
            extra = " (and input, if there is one)" if prompt == "instruction" and row.get("input") is not None else ""
            raise RowError(f"{prompt} and {answer} must be text{extra}")
    meant = next((f" Did you mean {near!r}?" for key in row if key not in KNOWN and (near := nearest(str(key)))), "")
    raise RowError(f"has {', '.join(map(repr, row)) or 'no keys'}, but no known form.{meant}".removesuffix("."))


def _raw(row: Mapping[str, Any], prompt: str, answer: str) -> Said | None:
    used = frozenset([prompt, answer])
    match row.get(prompt), row.get(answer):
        case str(before), str(after):
            after = _filled(after, answer)
            apart = answer != "completion" and before and not before[-1].isspace() and not after[0].isspace()
            return Said(f" {after}" if apart else after, used, prompt=before)
        case list(before), list(after):
            return _chat([*before, *after], used)
    return None


def _asked(row: Mapping[str, Any], question: str, answer: str) -> Said | None:
    # What instructions are given with; in other forms the key is nobody's.
    instructed = question == "instruction"
    match row.get(question), row.get(answer), row.get("input", "") if instructed else "":
        case str(asked), str(told), str(given):
            whole = f"{asked}\n\n{given}" if given.strip() else asked
            used = frozenset([question, answer, *(["input"] if instructed else [])])
            return Said(_filled(told, answer), used, question=_filled(whole, question))
    return None


def _filled(text: str, name: str) -> str:
    if not text.strip():
        raise RowError(f"the {name} is empty")
    return text


def _spoken(turns: list[Any]) -> list[Any]:
    """Turns of ``from`` and ``value`` as messages; others as they are, so that they are told."""
    return [
        {"role": SPEAKERS[turn["from"]], "content": turn["value"]}
        if isinstance(turn, dict) and "value" in turn and turn.get("from") in SPEAKERS
        else turn
        for turn in turns
    ]


def _plain(message: Any) -> Any:
    """A message whose content is a text, where it was a list of texts, and whose role is one that templates know."""
    if not isinstance(message, dict):
        return message
    content = message.get("content")
    match content:
        case [*parts] if parts and all(
            isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
            for part in parts
        ):
            content = "".join(part["text"] for part in parts)
    role = "system" if message.get("role") == "developer" else message.get("role")
    return {**message, "role": role, "content": content}


def _chat(messages: list[Any], used: Any) -> Said:
    messages = [_plain(message) for message in messages]
    for said in _message_problems(messages):
        raise RowError(said)
    *context, answer = messages
    return Said(answer["content"], frozenset(used), chat=tuple(context))


def _message_problems(messages: list[Any]) -> Iterator[str]:
    if len(messages) < 2:
        yield "messages need a user's and an assistant's turn"
        return
    for number, message in enumerate(messages, 1):
        match message:
            case {"role": "system" | "user" | "assistant", "content": str()}:
                continue
        yield f"message {number} needs a role (system, user or assistant) and a content of text"
        return
    if messages[-1]["role"] != "assistant" or not messages[-1]["content"].strip():
        yield "the last message must be an answer of the assistant"


def _check_about(row: Mapping[str, Any]) -> None:
    for key in ABOUT:
        value = row.get(key, "")
        many = isinstance(value, list) and all(isinstance(text, str) for text in value)
        if value is not None and not isinstance(value, str) and not (many and key == "perturbed_answer"):
            raise RowError(f"{key} must be text" + (" or a list of texts" if key == "perturbed_answer" else ""))


def pairs(row: Mapping[str, Any], place: str, model: LanguageModel) -> list[Pair]:
    """A good row as pairs of a model: one, or as many as a long passage takes.

    Raises:
        UsageError: the model's chat template does not take it; names the place.
    """
    said = read(row)
    wrong = row.get("perturbed_answer") or ()
    pair = Pair(
        "",
        said.answer,
        paraphrase=row.get("paraphrased_answer"),
        perturbed=(wrong,) if isinstance(wrong, str) else tuple(wrong),
        subject=row.get("subject") or "",
    )
    other = row.get("paraphrased_question")
    if said.is_text:
        return [replace(pair, answer=piece, closed=False) for piece in model.windows(said.answer)]
    if said.prompt is not None:
        return [replace(pair, prompt=said.prompt, rephrased_prompt=other)]
    if said.chat and not model.tokenizer.chat_template:
        raise UsageError(f"{place}: chat messages, but the model has no chat template. Use question and answer.")
    try:
        if said.question is not None:
            asked = replace(pair, prompt=said.question, rephrased_prompt=other)
            return [asked.formatted(model.question, model.answer)]
        return [pair.formatted(lambda _: model.conversation(said.chat), model.answer)]
    except (TemplateError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()
        raise UsageError(
            f"{place}: the model's chat template does not take these messages: {reason[0] if reason else error!r}"
        ) from None
