"""Low-rank adapters: where they go in a model, what of it they leave alone, and the model without them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reference_impls.errors import UsageError
from reference_impls.scaling import LoRA
from reference_impls.toolkit import architecture
from reference_impls.toolkit.language_model import LanguageModel
from reference_impls.toolkit.logprobs import Encoded, TokenLogits

STATE_SPACE = frozenset({"in_proj", "conv1d", "out_proj"})
"""What a layer holds whose kernels read the weights of its output projection past the module, and so past an adapter in
it."""
LEAST_IMPORTANCE = 1e-5
"""What keeps quotients of importances finite, as LoKU's released code has it."""
MORE, PASSES = 16, 4
"""Columns of a randomized decomposition beyond those that are kept, and passes over the matrix."""


def lora_config(model: Any, rank: int, alpha: float, targets: Sequence[str] = ()) -> Any:
    """A LoRA module on every linear layer of the blocks that takes one.

    Args:
        model: the network.
        rank: r.
        alpha: the scaling is ``alpha / rank``.
        targets: ends of the names of the layers that get one, instead of all linear ones of the blocks.
    """
    from peft import LoraConfig

    return LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=0.0,
        target_modules=list(targets) or "all-linear",
        exclude_modules=[*_read_past(model), *_routers(model)] or None,
        bias="none",
    )


def adapter_weights(network: Any) -> list[tuple[str, Tensor]]:
    """The weights of all low-rank adapters in a network, by name."""
    return [(name, weight) for name, weight in network.named_parameters() if ".lora_" in name]


def with_adapter(network: Any, rank: int, alpha: float) -> list[tuple[str, Tensor]]:
    """Put an untrained adapter into a network, in place; returns its weights, which alone have gradients then.

    See :func:`lora_config`.
    """
    from peft import get_peft_model

    get_peft_model(network, lora_config(network, rank, alpha))
    return adapter_weights(network)


def not_adapted(adapted: Any) -> str:
    """What of the blocks' matrices got no adapter, in sentences; empty if nothing was left out.

    Args:
        adapted: a network with adapters in it.
    """
    said = []
    held = {id(_held(module)) for module in adapted.modules() if hasattr(module, "parameter_name")}
    experts = sum(weight.numel() for weight in architecture.fused_experts(adapted) if id(weight) not in held)
    if experts:
        share = experts / sum(parameter.numel() for parameter in adapted.parameters())
        said.append(
            f"The adapters sit on linear layers, and the experts ({share:.0%} of the weights) are none: not touched."
        )
    if _read_past(adapted):
        said.append("The output projections of the state-space layers take no adapter: not touched.")
    if _routers(adapted):
        said.append("The routers, which send tokens to experts, take no adapter: not touched.")
    return " ".join(said)


def _held(wrapper: Any) -> Any:
    """The tensor for which a wrapper of peft's holds an adapter; wrappers of several of a module lie in each other."""
    inner = wrapper
    while hasattr(inner, "base_layer"):
        inner = inner.base_layer
    return getattr(inner, wrapper.parameter_name, None)


def _read_past(model: Any) -> list[str]:
    """The names of the modules that state-space layers read past."""
    return [
        f"{name}.{part}"
        for name, module in model.named_modules()
        if STATE_SPACE.issubset(child for child, _ in module.named_children())
        for part in ("out_proj", "conv1d")
    ]


def _routers(model: Any) -> list[str]:
    """The names of linear layers that give more than their product: which experts a token is sent to."""
    return [
        name
        for name, module in model.named_modules()
        if architecture.matrix_shape(module) is not None and "router" in type(module).__name__.lower()
    ]


def check_targets(targets: Sequence[str], model: Any) -> None:
    """Look whether a model has layers of these names.

    Args:
        targets: ends of names.
        model: a network; its weights need not hold numbers.

    Raises:
        UsageError: it has none of one; names those that it has.
    """
    layers = {name for name, module in model.named_modules() if architecture.matrix_shape(module) is not None}
    layers -= {*_read_past(model), *_routers(model)}
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in layers):
            known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in layers}))
            raise UsageError(f"{type(model).__name__} has no layer {target!r} for --lora-targets; it has {known}.")


@dataclass(frozen=True)
class AdaptedLayer:
    r"""A linear layer with an adapter in it: it multiplies with $W + c B A$."""

    base: Tensor
    """The weight as the model stores it; it does not train."""
    transposed: bool
    """Whether that is $W$ transposed (GPT-2)."""
    down: Tensor
    """(r, inputs) $A$."""
    up: Tensor
    """(outputs, r) $B$."""
    scale: float
    """$c$."""

    @property
    def weight(self) -> Tensor:
        """(outputs, inputs) $W$, a view."""
        return self.by_output(self.base.detach())

    def by_output(self, values: Tensor) -> Tensor:
        """(outputs, inputs) values of the stored weight's entries, a row for each output."""
        return values.T if self.transposed else values

    @property
    def update(self) -> Tensor:
        """(outputs, inputs) $c B A$, what the adapter adds."""
        return (self.scale * self.up @ self.down).detach()

    @torch.no_grad()
    def settle(self, update: Tensor | None = None) -> None:
        """Have the adapter add nothing any more, and the weight something in its stead.

        Args:
            update: (outputs, inputs) what is added to the weight; nothing by default.
        """
        if update is not None:
            self.weight.add_(update)
        for factor in (self.down, self.up):
            factor.zero_()

    @torch.no_grad()
    def hand_over(self, left: Tensor, right: Tensor) -> None:
        r"""Make $c B A$ a part of what the two are together, and $W$ the rest: the layer computes what it did.

        Args:
            left: (outputs, k) with $k \le r$.
            right: (k, inputs): the part is ``left @ right``, and both factors get the same share of $c$.
        """
        count = left.shape[1]
        self.settle(self.update)
        self.down[:count] = right / self.scale**0.5
        self.up[:, :count] = left / self.scale**0.5
        self.weight.sub_(self.update)


def adapted_layers(network: Any, adapter: str = "default") -> list[AdaptedLayer]:
    """The linear layers of a network that have an adapter of that name, in the network's order."""
    from transformers.pytorch_utils import Conv1D

    layers = []
    for layer in _layers(network):
        base = layer.get_base_layer()
        if hasattr(layer, "parameter_name") or adapter not in layer.lora_B or architecture.matrix_shape(base) is None:
            continue
        factors = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
        layers.append(AdaptedLayer(base.weight, isinstance(base, Conv1D), *factors, layer.scaling[adapter]))
    return layers


class NamedAdapters:
    """Several low-rank adapters in a model's network, of which one is at work at a time."""

    def __init__(self, model: LanguageModel, rank: int, alpha: float) -> None:
        """Nothing is put in before the first is asked for."""
        self.model, self.rank, self.alpha = model, rank, alpha
        self._network: Any = None

    def fresh(self, name: str, seed: int) -> list[Tensor]:
        """Put an untrained adapter in, or in the place of the one of that name; returns its weights.

        It is at work then, and its weights alone may move.
        """
        from peft import get_peft_model

        config = lora_config(self.model.model, self.rank, self.alpha)
        if self._network is None:
            self._network = get_peft_model(self.model.model, config, adapter_name=name)
        elif name not in self._network.peft_config:
            self._network.add_adapter(name, config)
        torch.manual_seed(seed)
        for layer in _layers(self.model.model):
            if hasattr(layer, "reset_lora_parameters"):
                layer.reset_lora_parameters(name, True)
        self.use(name)
        return self.weights(name)

    def weights(self, name: str) -> list[Tensor]:
        """The weights of one of them."""
        return [weight for path, weight in adapter_weights(self.model.model) if f".{name}." in path]

    def merged(self, name: str) -> LanguageModel:
        """A copy of the model with one of them as part of its weights, all of which train, and without the others."""
        self.use(name)
        network = copy.deepcopy(self._network).merge_and_unload(adapter_names=[name])
        network.requires_grad_(True)
        return replace(self.model, model=network)

    def use(self, name: str, strength: float = 1.0) -> None:
        """Set one to work, as it is or as a multiple of itself."""
        self._network.set_adapter(name)
        for layer in _layers(self.model.model):
            if name in layer.scaling:
                layer.set_scale(name, strength)


def row_importance(forgotten: Tensor, kept: Tensor) -> Tensor:
    r"""(outputs,) $s_i$, how much more each row of a matrix matters to what is forgotten, by the sum of its quotients.

    Args:
        forgotten: (outputs, inputs) how much each entry matters to the forget set.
        kept: the same for the retain set.
    """
    return (forgotten / (kept + LEAST_IMPORTANCE)).sum(dim=1).sqrt()


def weighted_low_rank(weight: Tensor, importance: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    r"""(outputs, k) $S^{-1} U \Sigma^{1/2}$ and (k, inputs) $\Sigma^{1/2} V^\top$, for $k = r$ or all there are.

    Their product is the part of rank $r$ of a matrix that weighs most, by $S W \approx U \Sigma V^\top$.

    Args:
        weight: (outputs, inputs) $W$.
        importance: (outputs,) $s_i \ge 0$; rows of 0 have no part in the product.
        rank: $r$.
    """
    importance = importance / importance.max().clamp(min=torch.finfo(importance.dtype).tiny)
    columns = min(rank + MORE, *weight.shape)
    left, sizes, right = torch.svd_lowrank(importance[:, None] * weight.float(), q=columns, niter=PASSES)
    roots = sizes[:rank].sqrt()
    inverse = torch.where(importance > 0, 1 / importance, 0.0)
    return inverse[:, None] * left[:, :rank] * roots, (right[:, :rank] * roots).T


@dataclass(frozen=True)
class Adapter:
    """Trained low-rank adapters by themselves, as ``peft`` keeps them."""

    config: Any
    weights: dict[str, Tensor]

    def save(self, folder: Path, base: str) -> None:
        """Write it as ``peft`` reads it, for the model of that name or place.

        Raises:
            OSError, SafetensorError: it cannot be written.
        """
        from safetensors.torch import save_file

        folder.mkdir(parents=True)
        self.config.base_model_name_or_path = base
        self.config.save_pretrained(folder)
        save_file(self.weights, folder / "adapter_model.safetensors", {"format": "pt"})


class Adapted:
    """A model while adapters in it train in its place."""

    def __init__(self, model: LanguageModel, lora: LoRA) -> None:
        """Put fresh adapters into the model's network, drawn with torch's generator; they change nothing yet.

        Raises:
            UsageError: there is no layer for one.
        """
        from peft import get_peft_model

        self.model = model
        config = lora_config(model.model, lora.rank, lora.scale, lora.targets)
        try:
            self._network = get_peft_model(model.model, config)
        except ValueError as error:
            raise UsageError(f"--lora does not fit this model: {str(error).splitlines()[0]}") from None

    def not_adapted(self) -> str:
        """See :func:`not_adapted`."""
        return not_adapted(self._network)

    def merge(self) -> Adapter:
        """Let the adapters become part of the weights, all of which train again; returns them as they were."""
        from peft import get_peft_model_state_dict

        weights = {
            name: weight.detach().cpu().clone() for name, weight in get_peft_model_state_dict(self._network).items()
        }
        adapter = Adapter(self._network.peft_config["default"], weights)
        self.model.model = self._network.merge_and_unload()
        self.model.model.requires_grad_(True)
        return adapter


@dataclass
class WithoutAdapters(LanguageModel):
    """A model as it is without the adapters in it, with whom it shares all weights; no gradients flow through it."""

    @classmethod
    def of(cls, model: LanguageModel) -> WithoutAdapters:
        """The model, which goes on training with its adapters."""
        return cls(**{name: value for name, value in vars(model).items() if name in cls.__dataclass_fields__})

    def __post_init__(self) -> None:
        """Nothing is asked of the network, and nothing set in it: it is another model's."""

    @contextmanager
    def _without(self) -> Iterator[None]:
        with torch.no_grad(), self.evaluating(), switched_off(self.model):
            yield

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        """See :class:`LanguageModel`."""
        with self._without():
            return super().token_logits(*batches)

    def activations(self, batch: Encoded, depth: float) -> Tensor:
        """See :class:`LanguageModel`."""
        with self._without():
            return super().activations(batch, depth)

    def outputs(self, batch: Encoded, modules: Sequence[nn.Module]) -> list[Tensor]:
        """See :class:`LanguageModel`."""
        with self._without():
            return super().outputs(batch, modules)

    def read_out(self, states: Tensor) -> Tensor:
        """See :class:`LanguageModel`."""
        with self._without():
            return super().read_out(states)

    def _decoded(self, input_ids: Tensor, attention_mask: Tensor, **options: Any) -> Tensor:
        with self._without():
            return super()._decoded(input_ids, attention_mask, **options)


def before_training(model: LanguageModel) -> LanguageModel:
    """The reference: what the model is now, and stays while it trains.

    A copy, unless adapters are in it that have changed nothing so far: then it is the model without them.
    """
    layers = _layers(model.model)
    if layers and not any(_changes(layer) for layer in layers):
        return WithoutAdapters.of(model)
    return model.frozen()


@contextmanager
def switched_off(network: Any) -> Iterator[None]:
    """While this lasts, adapters in a network do nothing."""
    with ExitStack() as stack:
        for layer in _layers(network):
            layer.enable_adapters(False)
            stack.callback(layer.enable_adapters, True)
        yield


def _layers(network: Any) -> list[Any]:
    return [module for module in network.modules() if hasattr(module, "lora_B")]


def _changes(layer: Any) -> bool:
    """Whether an adapter's second factor is anything but 0."""
    return any(bool(weight.any()) for name, weight in layer.named_parameters() if "lora_B" in name)
