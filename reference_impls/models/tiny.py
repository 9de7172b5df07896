"""The embedded models: real architectures of a million or two of parameters, with a tokenizer of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from catalog.model.results import EMBEDDED, EXPERTS
from reference_impls.toolkit import LanguageModel

VOCABULARY = 2048
END, PAD = "<|end|>", "<|pad|>"


def new_tiny_model(texts: Iterable[str], seed: int, name: str = EMBEDDED) -> LanguageModel:
    """An untrained model whose tokenizer is made for ``texts``; the same texts and seed give the same model.

    Args:
        texts: what the tokenizer is made for.
        seed: of the weights.
        name: which of the embedded models: the dense one, or the mixture of experts.
    """
    tokenizer = _tokenizer(texts)
    torch.manual_seed(seed)
    common = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return LanguageModel(_NETWORKS[name](common), tokenizer)


def _dense(common: Mapping[str, Any]) -> Any:
    """A Llama with a million weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**common, intermediate_size=384))


def _experts(common: Mapping[str, Any]) -> Any:
    """A Mixtral: in each block a router sends a token to two of four experts, which are half as wide as a dense MLP."""
    from transformers import MixtralConfig, MixtralForCausalLM

    return MixtralForCausalLM(
        MixtralConfig(**common, intermediate_size=192, num_local_experts=4, num_experts_per_tok=2)
    )


_NETWORKS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = MappingProxyType({EMBEDDED: _dense, EXPERTS: _experts})


def _tokenizer(texts: Iterable[str]) -> Any:
    """Byte-level BPE: any text can be encoded, the task's words in few tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, model_max_length=512)
