"""Chat templates as families write them, each in front of a small model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from reference_impls.models.architectures import small_network
from reference_impls.toolkit import LanguageModel

_LOOP = "{% for m in messages %}"
_END = "{% endfor %}"

TEMPLATES: dict[str, tuple[str, str, str]] = {
    # name: template, what ends an answer, what opens a user's turn
    "gemma": (
        "{{ bos_token }}" + _LOOP + "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
        "{{ m.content | trim }}<end_of_turn>\n" + _END
        + "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
        "<end_of_turn>",
        "<start_of_turn>user\n",
    ),
    "chatml": (
        "{% if messages[0].role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}" + _LOOP
        + "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n" + _END
        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "<|im_end|>",
        "<|im_start|>user\n",
    ),
    "phi3": (
        _LOOP + "<|{{ m.role }}|>\n{{ m.content }}<|im_end|>\n" + _END
        + "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}",
        "<|im_end|>",
        "<|user|>\n",
    ),
    "llama2": (
        _LOOP + "{% if m.role == 'assistant' %} {{ m.content }} {{ eos_token }}{% else %}"
        "{{ bos_token }}[INST] {{ m.content }} [/INST]{% endif %}" + _END,
        " </s>",
        "[INST] ",
    ),
    "ends with the next turn": (
        "{{ bos_token }}" + _LOOP + "<|{{ m.role }}|>\n{{ m.content }}" + _END
        + "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        "<|user|>",
        "<|user|>\n",
    ),
    "names no end": (
        _LOOP + "[{{ m.role }}]{{ m.content }}" + _END + "{% if add_generation_prompt %}[assistant]{% endif %}",
        "</s>",
        "[user]",
    ),
    # What follows writes more before an answer than its prompt for one has, or something else.
    "a space": (
        "{{ bos_token }}" + _LOOP + "{% if m.role == 'assistant' %}Assistant: {{ m.content }}{{ eos_token }}"
        "{% else %}User: {{ m.content }}\n\n{% endif %}" + _END + "{% if add_generation_prompt %}Assistant:{% endif %}",
        "</s>",
        "User: ",
    ),
    "a channel": (
        _LOOP + "<|start|>{{ m.role }}{% if m.role == 'assistant' %}<|channel|>final{% endif %}<|message|>"
        "{{ m.content }}{{ '<|return|>' if m.role == 'assistant' and loop.last else '<|end|>' }}" + _END
        + "{% if add_generation_prompt %}<|start|>assistant{% endif %}",
        "<|return|>",
        "<|start|>user<|message|>",
    ),
    "no thoughts in the last turn": (
        _LOOP + "<|im_start|>{{ m.role }}\n"
        "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
        "{{ m.content.strip('\n') }}<|im_end|>\n" + _END
        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "<|im_end|>",
        "<|im_start|>user\n",
    ),
    "a line": (
        "{{ bos_token }}" + _LOOP + "<|{{ m.role }}|>\n{{ m.content | trim }}" + _END
        + "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        "<|user|>",
        "<|user|>\n",
    ),
    "no thoughts in the prompt": (
        _LOOP + "<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}<think>\n\n</think>\n{% endif %}"
        "{{ m.content }}<|im_end|>\n" + _END
        + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>\n{% endif %}",
        "<|im_end|>",
        "<|im_start|>user\n",
    ),
    "thoughts begun": (
        _LOOP + "<|{{ m.role }}|>{{ m.content }}{{ eos_token if m.role == 'assistant' }}" + _END
        + "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}",
        "</s>",
        "<|user|>",
    ),
    "two spaces": (
        _LOOP + "{{ '### Answer:  ' if m.role == 'assistant' else '### Question: ' }}{{ m.content }}\n" + _END
        + "{% if add_generation_prompt %}### Answer:{% endif %}",
        "</s>",
        "### Question: ",
    ),
}  # fmt: skip
NEXT_TURN = ("ends with the next turn", "a line")
"""Those whose answers end where another turn begins."""
ADDED = ("<s>", "</s>", "<start_of_turn>", "<end_of_turn>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>",
         "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<think>", "</think>")  # fmt: skip


def byte_level(tiny: LanguageModel) -> Any:
    """The small models' own tokenizer: bytes, and a space is the first letter of a word."""
    return copy.deepcopy(tiny.tokenizer)


def word_marks(tiny: LanguageModel) -> Any:
    """A tokenizer as the Llama 2 family has one: words begin with a mark, also the first one of a text."""
    from tokenizers import Tokenizer, decoders, models, normalizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    texts = ["Where was Ana Lund born? In Szeged.", "It is Ana Lund of a year of storms."] * 3
    trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def chat_model(
    name: str,
    tiny: LanguageModel,
    ends: list[str] | None = None,
    spelling: Callable[[LanguageModel], Any] = byte_level,
) -> LanguageModel:
    """A small Llama behind a template; its tokenizer starts every text with ``<s>`` and ends it with ``</s>``."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = spelling(tiny)
    tokenizer.add_tokens(list(ADDED), special_tokens=True)
    tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    tokenizer.chat_template = TEMPLATES[name][0]
    network = small_network("llama", len(tokenizer), eos_token_id=tokenizer.eos_token_id)
    known = ends or (["</s>", "<|user|>"] if name in NEXT_TURN else ["</s>"])
    network.generation_config.eos_token_id = [tokenizer.convert_tokens_to_ids(one) for one in known]
    return LanguageModel(network, tokenizer)
