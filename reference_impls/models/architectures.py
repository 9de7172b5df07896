"""Small networks of many architectures, with random weights, for what has to hold whatever a family calls its parts.

They are a thousandth of the embedded model: the tests use them, and the table of what runs on what is made with them.
"""

from __future__ import annotations

from typing import Any

import torch

from reference_impls.toolkit import LanguageModel

WIDTH, INNER, LAYERS = 16, 32, 2

_COMMON = {
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
}
_FEW_OF_MANY = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
_GPT2 = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": 2, "n_positions": 256}

SIZES: dict[str, dict[str, Any]] = {
    "gpt2": _GPT2,
    "gptj": {**_GPT2, "rotary_dim": 4, "n_inner": INNER},
    "llama": _COMMON,
    "qwen2": _COMMON,
    "qwen3": _COMMON,
    "mistral": _COMMON,
    "gemma": _COMMON,
    "gemma2": _COMMON,
    "gemma3_text": _COMMON,
    "phi": _COMMON,
    "phi3": {**_COMMON, "pad_token_id": 1},
    "granite": {**_COMMON, "logits_scaling": 7.0},
    "cohere": {**_COMMON, "logit_scale": 0.3},
    "gpt_neox": {key: value for key, value in _COMMON.items() if key not in ("num_key_value_heads", "head_dim")},
    "bloom": {"hidden_size": WIDTH, "n_layer": LAYERS, "n_head": 2},
    "falcon": {
        **{key: value for key, value in _COMMON.items() if key != "head_dim"},
        "new_decoder_architecture": False,
        "multi_query": False,
    },
    "opt": {
        "hidden_size": WIDTH,
        "ffn_dim": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "word_embed_proj_dim": WIDTH,
        "max_position_embeddings": 256,
    },
    "gpt_neo": {
        "hidden_size": WIDTH,
        "num_layers": LAYERS,
        "num_heads": 2,
        "attention_types": [[["global", "local"], 1]],
        "max_position_embeddings": 256,
    },
    "openai-gpt": _GPT2,
    "olmo2": _COMMON,
    "starcoder2": _COMMON,
    "stablelm": _COMMON,
    "glm4": _COMMON,
    "smollm3": _COMMON,
    "mixtral": {**_COMMON, "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2_moe": {**_COMMON, **_FEW_OF_MANY, "shared_expert_intermediate_size": 8},
    "qwen3_moe": {**_COMMON, **_FEW_OF_MANY},
    "gpt_oss": {**_COMMON, "num_local_experts": 4, "num_experts_per_tok": 2},
    "deepseek_v3": {
        **_COMMON,
        "head_dim": 4,
        "n_routed_experts": 4,
        "n_shared_experts": 1,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 8,
        "n_group": 1,
        "topk_group": 1,
        "first_k_dense_replace": 1,
        "q_lora_rank": 8,
        "kv_lora_rank": 8,
        "qk_nope_head_dim": 4,
        "qk_rope_head_dim": 4,
        "v_head_dim": 8,
    },
    "llama4_text": {**_COMMON, "num_local_experts": 2, "num_experts_per_tok": 1, "intermediate_size_mlp": INNER},
    "qwen3_next": {
        **_COMMON,
        **_FEW_OF_MANY,
        "shared_expert_intermediate_size": 8,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
    },
    "jamba": {
        **_COMMON,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "mamba_d_state": 4,
        "mamba_dt_rank": 4,
        "use_mamba_kernels": False,
    },
    "mamba": {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "state_size": 4, "intermediate_size": INNER},
}
MULTIMODAL = "gemma3"
"""A language model inside a configuration for text and images, with as many blocks in either tower."""

EXPERTS = ("mixtral", "qwen2_moe", "qwen3_moe", "gpt_oss", "deepseek_v3", "llama4_text", "qwen3_next", "jamba")
DENSE = tuple(name for name in SIZES if name not in (*EXPERTS, "mamba"))
ALL = (*SIZES, MULTIMODAL)


def small_network(family: str, vocabulary: int, **changes: Any) -> Any:
    """An untrained network of a family, the same each time."""
    from transformers import AutoConfig, AutoModelForCausalLM

    marks = {"vocab_size": vocabulary, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    if family == MULTIMODAL:
        vision = {"hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
                  "num_attention_heads": 2, "image_size": 28, "patch_size": 14}  # fmt: skip
        tokens = {"boi_token_index": 2, "eoi_token_index": 3, "image_token_index": 4}
        config = AutoConfig.for_model(
            family, text_config={**_COMMON, **marks, **changes}, vision_config=vision, **tokens
        )
    else:
        config = AutoConfig.for_model(family, **{**SIZES[family], **marks, **changes})
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2)  # untrained heads are nearly flat; make what is wrong show
    return network.float()


def small_model(family: str, tokenizer: Any, **changes: Any) -> LanguageModel:
    """The same behind a tokenizer."""
    return LanguageModel(small_network(family, len(tokenizer), **changes), tokenizer)
