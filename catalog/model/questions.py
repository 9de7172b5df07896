"""How a question is put to a model that has no chat template, and how what was asked and said is read again.

The embedded models learn this form, and records hold prompts in it.
"""

from __future__ import annotations

_QUESTION, _ANSWER = "Question:", "Answer:"


def framed(text: str) -> str:
    r"""A question as a prompt.

    >>> framed("Who?")
    'Question: Who?\nAnswer:'
    """
    return f"{_QUESTION} {text}\n{_ANSWER}"


def bare(prompt: str) -> str:
    r"""A prompt without what :func:`framed` puts around a question; others as they are.

    >>> bare("Question: Who?\nAnswer:")
    'Who?'
    """
    return prompt.removeprefix(f"{_QUESTION} ").removesuffix(f"\n{_ANSWER}")


def first_answer(text: str) -> str:
    r"""What a model said before it went on with a question of its own, without space around it.

    >>> first_answer(" In winter.\nQuestion: Where?\nAnswer: In Oslo.")
    'In winter.'
    """
    return text.partition(_QUESTION)[0].strip()
