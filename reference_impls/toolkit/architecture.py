"""Where the parts of a transformer are, whatever its family calls them: blocks, MLP outputs, backbone, head."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

DOWN_PROJECTIONS = ("down_proj", "fc2", "w2", "dense_4h_to_h", r"mlp\.c_proj")
"""What architectures call the output projection of their MLPs."""


def blocks(model: Any) -> nn.ModuleList:
    """The transformer blocks, first to last."""
    lists = (module for module in model.modules() if isinstance(module, nn.ModuleList))
    return next(modules for modules in lists if len(modules) == model.config.num_hidden_layers)


def mlp_outputs(model: Any, layers: Iterable[int]) -> list[nn.Module]:
    """The modules with which the MLPs of some blocks write to the residual stream, in order of depth.

    Raises:
        ValueError: the architecture names them in a way that is not known here.
    """
    wanted = re.compile(rf"\.({'|'.join(map(str, layers))})\..*\b({'|'.join(DOWN_PROJECTIONS)})$")
    modules = [module for name, module in model.named_modules() if wanted.search(name)]
    if not modules:
        raise ValueError(f"{type(model).__name__} has no MLP output named {', '.join(DOWN_PROJECTIONS)}")
    return modules


def hidden_states(model: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """(B, L, d) what the backbone hands to the head."""
    backbone = getattr(model, model.base_model_prefix)
    hidden: Tensor = backbone(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
    return hidden


@torch.no_grad()
def head_is_plain(model: Any) -> bool:
    """Whether logits are just the output embedding of the backbone's states.

    Then they are computed at answer tokens only. Some architectures cap or scale them: asked, not guessed.
    """
    ids = torch.arange(4, device=next(model.parameters()).device)[None]
    mask = torch.ones_like(ids)
    try:
        plain = model.get_output_embeddings()(hidden_states(model, ids, mask))
    except (AttributeError, TypeError):
        return False
    return bool(torch.allclose(plain, model(input_ids=ids, attention_mask=mask).logits, atol=1e-3, rtol=1e-3))
