"""How a question is put to a model that has no chat template, and how what was asked and said is read again.

The embedded models learn this form, and records hold prompts in it, or in the form of a model's chat template.
"""

from __future__ import annotations

import re

_QUESTION, _ANSWER = "Question:", "Answer:"
_TURN = re.compile(
    r"<\|im_start\|>user\n(.*?)<\|im_end\|>"  # ChatML: SmolLM, Qwen
    r"|<\|start_header_id\|>user<\|end_header_id\|>\s*(.*?)<\|eot_id\|>"  # Llama 3
    r"|<start_of_turn>user\n(.*?)<end_of_turn>"  # Gemma
    r"|<\|user\|>\s*(.*?)<\|(?:end|assistant)\|>"  # Phi 3, Zephyr
    r"|\[INST\]\s*(?:<<SYS>>.*?<</SYS>>)?(.*?)\[/INST\]",  # Llama 2, Mistral
    re.DOTALL,
)
"""What somebody says in a chat, between the marks of the usual templates."""


def framed(text: str) -> str:
    r"""A question as a prompt.

    >>> framed("Who?")
    'Question: Who?\nAnswer:'
    """
    return f"{_QUESTION} {text}\n{_ANSWER}"


def bare(prompt: str) -> str:
    r"""A prompt without what :func:`framed`, or a chat template, puts around the last question; others as they are.

    >>> bare("Question: Who?\nAnswer:")
    'Who?'
    >>> bare("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n")
    'Who?'
    """
    turns = [] if prompt.startswith(f"{_QUESTION} ") else _TURN.findall(prompt)
    if turns:
        return "".join(turns[-1]).strip()
    return prompt.removeprefix(f"{_QUESTION} ").removesuffix(f"\n{_ANSWER}")


def first_answer(text: str) -> str:
    r"""What a model said before it went on with a question of its own, without space around it.

    >>> first_answer(" In winter.\nQuestion: Where?\nAnswer: In Oslo.")
    'In winter.'
    """
    return text.partition(_QUESTION)[0].strip()
