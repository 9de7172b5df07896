"""Where the parts of a transformer are, whatever its family calls them: blocks, feed-forward outputs, backbone, head.

Asked of the model: its modules, their shapes, and its text configuration (inside another in a multimodal model).
Nothing here needs weights that hold numbers, but :func:`head_is_plain`, :func:`is_causal`,
:func:`answers_together`, :func:`read_out` and :func:`normed`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from reference_impls.errors import UnsupportedModelError

DOWN_PROJECTIONS = ("down_proj", "fc2", "fc_out", "w2", "dense_4h_to_h", "mlp.c_proj", "output_linear", "output.dense")
"""What architectures call the output projection of their MLPs."""

LARGE = 1e4
"""How large logits are made to see what becomes of large ones."""

_DOWN = re.compile(rf"(^|\.)({'|'.join(map(re.escape, DOWN_PROJECTIONS))})(\.weight)?$")
_MIXES_TOKENS = re.compile(r"attn|attention|mixer|mamba|ssm|conv|temporal|recurrent|router|gate$", re.IGNORECASE)
"""Parts of a block that are no feed-forward part, by their names."""
_ATTENDS = re.compile(r"(attn|attention)$", re.IGNORECASE)


def text_config(model: Any) -> Any:
    """The configuration of the language part."""
    return model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config


def layers(model: Any) -> int:
    """The number of transformer blocks.

    Raises:
        UnsupportedModelError: the configuration does not say.
    """
    return int(_configured(model, "num_hidden_layers"))


def width(model: Any) -> int:
    """d, how many numbers the residual stream has at each token.

    Raises:
        UnsupportedModelError: the configuration does not say.
    """
    return int(_configured(model, "hidden_size"))


def context(model: Any) -> int | None:
    """How many tokens the model was made for at a time; None where nothing limits them."""
    config = text_config(model)
    named = (getattr(config, name, None) for name in ("max_position_embeddings", "max_seq_len", "n_positions"))
    return next((int(limit) for limit in named if isinstance(limit, int) and limit > 0), None)


def _configured(model: Any, name: str) -> Any:
    value = getattr(text_config(model), name, None)
    if value is None:
        raise UnsupportedModelError(f"the configuration of {type(model).__name__} has no {name}")
    return value


def blocks(model: Any) -> nn.ModuleList:
    """The transformer blocks that text goes through, first to last.

    Raises:
        UnsupportedModelError: there is no list of as many modules as the configuration says.
    """
    count = layers(model)
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == count]
    if len(lists) > 1:
        decoder = {id(module) for module in _language_part(model).modules()}
        lists = [module for module in lists if id(module) in decoder] or lists
    if not lists:
        raise UnsupportedModelError(f"{type(model).__name__} keeps its {count} blocks where they are not found")
    return lists[0]


def _language_part(model: Any) -> nn.Module:
    """What holds the embeddings of words, without other modalities' towers beside it."""
    embeddings = model.get_input_embeddings()
    holders: list[nn.Module] = [
        module for module in model.modules() if any(child is embeddings for child in module.children())
    ]
    return holders[-1]


@dataclass(frozen=True)
class FeedForward:
    """What writes to the residual stream in one block, attention apart."""

    outputs: tuple[nn.Module, ...]
    """The projections through which every token goes: one in a dense block."""
    experts: tuple[Tensor, ...]
    """The weights of those that only some tokens are sent to."""

    @property
    def weights(self) -> list[Tensor]:
        """All of it, experts last."""
        own = (getattr(module, "weight", None) for module in self.outputs)
        return [*(weight for weight in own if isinstance(weight, Tensor)), *self.experts]


def feed_forward(block: nn.Module, width: int) -> FeedForward:
    """The outputs of a block's feed-forward part: what has one of their names, is a matrix, and writes to the stream.

    Args:
        block: one transformer block.
        width: d, the size of the residual stream.
    """
    named = {name: module for name, module in block.named_modules() if _is_down(name) and _writes(module, width)}
    outputs = tuple(module for name, module in named.items() if not _is_routed(name))
    routed = [module.weight for name, module in named.items() if _is_routed(name) and isinstance(module.weight, Tensor)]
    fused = [parameter for name, parameter in block.named_parameters() if _is_down(name) and parameter.dim() == 3]
    return FeedForward(outputs, (*routed, *fused))


def _is_down(name: str) -> bool:
    return bool(_DOWN.search(name)) and not _MIXES_TOKENS.search(name)


def _writes(module: nn.Module, width: int) -> bool:
    shape = matrix_shape(module)
    return shape is not None and shape[0] == width


def _is_routed(name: str) -> bool:
    return "experts" in name.split(".")


def matrix_shape(module: nn.Module) -> tuple[int, int] | None:
    """(outputs, inputs) of a module that multiplies with a matrix; None of any other."""
    from transformers.pytorch_utils import Conv1D

    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.dim() != 2:
        return None
    if isinstance(module, Conv1D):
        return int(weight.shape[1]), int(weight.shape[0])
    return (int(weight.shape[0]), int(weight.shape[1])) if isinstance(module, nn.Linear) else None


def by_output(module: nn.Module, values: Tensor) -> Tensor:
    """(outputs, inputs) values of a matrix's entries, as the module stores them, with a row for each output; a view."""
    from transformers.pytorch_utils import Conv1D

    return values.T if isinstance(module, Conv1D) else values  # GPT-2 stores them transposed


def rows_of(module: nn.Module) -> list[Tensor]:
    """The weights with which a module of its own (no module inside it) multiplies, as views of a row per output.

    A matrix is one of (outputs, inputs); experts that are kept in one tensor are one each.
    """
    if matrix_shape(module) is not None:
        weight: Tensor = module.weight.detach()  # type: ignore[operator]
        return [by_output(module, weight)]
    return [expert.detach() for experts in _fused(module) for expert in experts]


def fused_experts(model: nn.Module) -> list[Tensor]:
    """(experts, rows, columns) each: the weights of experts that a model keeps in one tensor, which no module holds."""
    return [experts for module in model.modules() for experts in _fused(module)]


def _fused(module: nn.Module) -> list[Tensor]:
    convolves = isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    return [] if convolves else [parameter for parameter in module.parameters(recurse=False) if parameter.dim() == 3]


def mlp_outputs(model: Any, chosen: Iterable[int]) -> list[nn.Module]:
    """The modules with which the MLPs of some blocks write to the residual stream, in order of depth.

    Raises:
        UnsupportedModelError: a block has none, or experts of which a token sees a few.
    """
    return [_dense(model, layer) for layer in chosen]


def _dense(model: Any, layer: int) -> nn.Module:
    mlp = feed_forward(blocks(model)[layer], width(model))
    if mlp.experts:
        raise UnsupportedModelError(
            f"block {layer} of {type(model).__name__} sends each token to a few of many experts, so it has no one MLP "
            "output"
        )
    if len(mlp.outputs) != 1:
        raise UnsupportedModelError(_no_output(model, layer))
    return mlp.outputs[0]


def mlp_matrices(model: Any, chosen: Iterable[int]) -> list[nn.Module]:
    """All that the MLPs of some blocks multiply with, in order of depth, inputs before the output.

    Raises:
        UnsupportedModelError: a block has none, or experts of which a token sees a few.
    """
    found = []
    for layer in chosen:
        output = _dense(model, layer)
        _, neurons = matrix_shape(output) or (0, 0)
        for name, module in blocks(model)[layer].named_modules():
            rows, columns = matrix_shape(module) or (0, 0)
            reads = rows in (neurons, 2 * neurons) and columns == width(model)  # gates and inputs may be one matrix
            if reads and not _MIXES_TOKENS.search(name.rsplit(".", 1)[0]):
                found.append(module)
        found.append(output)
    return found


def down_projections(model: Any, chosen: Iterable[int]) -> list[Tensor]:
    """The weights of the MLP outputs of some blocks, those of experts included, in order of depth.

    Raises:
        UnsupportedModelError: a block has none.
    """
    weights: list[Tensor] = []
    for layer in chosen:
        projections = feed_forward(blocks(model)[layer], width(model)).weights
        if not projections:
            raise UnsupportedModelError(_no_output(model, layer))
        weights += projections
    return weights


def _no_output(model: Any, layer: int) -> str:
    return (
        f"block {layer} of {type(model).__name__} has no one MLP output that is known here: a projection to the "
        f"residual stream with a name such as {', '.join(DOWN_PROJECTIONS)}"
    )


def attentions(model: Any, chosen: Iterable[int]) -> list[Any]:
    """The attention of some blocks, in order of depth: the modules that keep the factor on their scores as ``scaling``.

    Blocks that mix tokens otherwise have none.

    Raises:
        UnsupportedModelError: there is none in any of them.
    """
    found: list[Any] = [
        module
        for layer in chosen
        for name, module in blocks(model)[layer].named_modules()
        if _ATTENDS.search(name) and isinstance(getattr(module, "scaling", None), float)
    ]
    if not found:
        raise UnsupportedModelError(
            f"{type(model).__name__} has no attention that keeps the factor on its scores where it is known here: a "
            "number of the name scaling"
        )
    return found


def backbone(model: Any) -> Any:
    """The model without its head."""
    # The prefix of a model for text alone may be the one of its relative for text and images.
    return getattr(model, model.base_model_prefix, None) or _language_part(model)


def hidden_states(
    model: Any, input_ids: Tensor | None = None, attention_mask: Tensor | None = None, **more: Any
) -> Tensor:
    """(B, L, d) what the backbone hands to the head; ``more`` is for it, such as ``inputs_embeds`` instead of ids."""
    given = {"input_ids": input_ids, "attention_mask": attention_mask, **more}
    hidden: Tensor = backbone(model)(**given, use_cache=False).last_hidden_state
    return hidden


def takes_cache(model: Any) -> bool:
    """Whether the model goes on from keys and values of what it has read."""
    return "past_key_values" in inspect.signature(model.forward).parameters


def cut(model: Any, count: int) -> None:
    """Leave the first ``count`` blocks; norm and head then read what the last of them writes."""
    kept, config = blocks(model), text_config(model)
    before = len(kept)
    del kept[count:]
    for name, value in vars(config).items():
        if name != "num_hidden_layers" and isinstance(value, list | tuple) and len(value) == before:
            setattr(config, name, value[:count])  # one for each block, such as its kind of attention
    config.num_hidden_layers = count


@torch.no_grad()
def head_is_plain(model: Any) -> bool:
    """Whether logits are just the output embedding of the backbone's states.

    Then they are computed at answer tokens only. Some architectures cap or scale them: asked, not guessed. Small logits
    are hardly capped, and those of a model that trains grow, so that the question is put with large states, too.
    """
    ids = torch.arange(4, device=next(model.parameters()).device)[None]
    mask = torch.ones_like(ids)
    try:
        head, states = model.get_output_embeddings(), hidden_states(model, ids, mask)
        plain = head(states)
        most = torch.finfo(states.dtype).max / 8  # half precision has no larger numbers
        factor = min(LARGE / max(float(plain.abs().max()), 1e-6), most / max(float(states.abs().max()), 1e-6))
        factors = torch.tensor([1.0, 1.0, factor, factor], device=states.device, dtype=states.dtype)[:, None]
        with _scaled(head, factors):
            logits = model(input_ids=ids, attention_mask=mask).logits
        plain = head(states * factors)
    except (AttributeError, TypeError):
        return False
    off, large = (plain - logits).abs(), plain[:, 2:].abs().max()
    return bool(torch.allclose(plain[:, :2], logits[:, :2], atol=1e-3, rtol=1e-3) and off[:, 2:].max() <= 1e-3 * large)


@contextmanager
def _scaled(head: nn.Module, factors: Tensor) -> Iterator[None]:
    """While this lasts, a head reads so many times the states that it is given."""
    handle = head.register_forward_pre_hook(lambda _, given: (given[0] * factors, *given[1:]))
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def answers_together(model: Any, padding: int) -> bool:
    """Whether a model goes on from a prompt the same beside a longer one, behind masked padding: asked, not guessed.

    Some models read every token, whatever the mask says, take no mask, or mix up what they keep of several texts.

    Args:
        model: a causal language model.
        padding: the token to pad with.
    """
    ids = torch.arange(4, device=next(model.parameters()).device)[None]
    longer = torch.cat([ids, ids], dim=1).flip(1)
    both = torch.cat([torch.cat([torch.full_like(ids, padding), ids], dim=1), longer])
    mask = torch.ones_like(both)
    mask[0, :4] = 0
    how = {"max_new_tokens": 2, "do_sample": False, "pad_token_id": padding, "output_logits": True}
    try:
        alone, beside = (
            model.generate(input_ids=tokens, attention_mask=seen, return_dict_in_generate=True, **how).logits
            for tokens, seen in ((ids, torch.ones_like(ids)), (both, mask))
        )
    except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return False
    noise = 1e-4 if alone[0].dtype == torch.float32 else 3e-2
    pairs = zip(alone, beside, strict=True)
    return all(float((one[0] - other[0]).abs().max()) <= noise * float(one[0].abs().max()) for one, other in pairs)


@torch.no_grad()
def is_causal(model: Any) -> bool:
    """Whether what a model expects at a token does not depend on those after it: asked, not guessed."""
    ids = torch.arange(4, device=next(model.parameters()).device)[None]
    changed = ids.clone()
    changed[0, 3] = 0
    logits, changed_logits = (
        model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits[0, :2] for tokens in (ids, changed)
    )
    noise = 1e-5 if logits.dtype == torch.float32 else 1e-2
    return bool(torch.allclose(logits, changed_logits, atol=noise, rtol=noise))


def read_out(model: Any, states: Tensor) -> Tensor:
    """(N, V) the logits that a model makes of (N, d) states, as if the last block had written them.

    Norm, projection, head, scale and cap are the model's own: it is run with the last block's output exchanged.
    """
    ids = torch.zeros(len(states), 1, dtype=torch.long, device=states.device)
    with exchanged(blocks(model)[-1], states[:, None]):
        logits: Tensor = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
    return logits[:, 0]


def states_of(out: Any) -> Tensor:
    """What a block, or a projection, gives: some blocks hand on more beside it, in a tuple or a list."""
    states: Tensor = out[0] if isinstance(out, tuple | list) else out
    return states


def with_states(out: Any, states: Tensor) -> Any:
    """The same output with other states, in the form in which it was given."""
    if isinstance(out, list):
        return [states, *out[1:]]
    return (states, *out[1:]) if isinstance(out, tuple) else states


def normed(model: Any, states: Tensor) -> Tensor:
    """(N, d) what the head is given of (N, d) states, as if the last block had written them."""
    ids = torch.zeros(len(states), 1, dtype=torch.long, device=states.device)
    with exchanged(blocks(model)[-1], states[:, None]):
        return hidden_states(model, ids, torch.ones_like(ids))[:, 0]


@contextmanager
def exchanged(module: nn.Module, output: Tensor) -> Iterator[None]:
    """While this lasts, a module's first output is another."""

    def hook(module: nn.Module, given: Any, out: Any) -> Any:
        return with_states(out, output)

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
