"""Chat templates as families write them, each in front of a small model."""

from __future__ import annotations

import copy

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
}  # fmt: skip
ADDED = ("<s>", "</s>", "<start_of_turn>", "<end_of_turn>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>")


def chat_model(name: str, tiny: LanguageModel, ends: list[str] | None = None) -> LanguageModel:
    """A small Llama behind a template; its tokenizer starts every text with ``<s>`` and ends it with ``</s>``."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.add_tokens(list(ADDED), special_tokens=True)
    tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    tokenizer.chat_template = TEMPLATES[name][0]
    network = small_network("llama", len(tokenizer), eos_token_id=tokenizer.eos_token_id)
    known = ends or (["</s>", "<|user|>"] if name == "ends with the next turn" else ["</s>"])
    network.generation_config.eos_token_id = [tokenizer.convert_tokens_to_ids(one) for one in known]
    return LanguageModel(network, tokenizer)
