"""Sparse autoencoders that others have trained and published, read from the files in which they lie.

Three forms are known: SAELens (``cfg.json`` with ``sae_weights.safetensors``), sparsify (``cfg.json`` with
``sae.safetensors``) and Gemma Scope (``params.npz``, or ``params.safetensors``). No code is run and no pickle is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from reference_impls.errors import UsageError
from reference_impls.toolkit.sparse_autoencoder import SparseAutoencoder

Site = Literal["blocks", "memories"]
"""What it reads: the residual stream behind a block, or what a block's MLP writes to it."""
FILES = ("sae_weights.safetensors", "sae.safetensors", "params.npz", "params.safetensors")
_CONFIGURATIONS = ("cfg.json", "config.json")
_HOOKS: tuple[tuple[str, Site, int], ...] = (
    (r"blocks\.(\d+)\.hook_resid_post", "blocks", 0),
    (r"blocks\.(\d+)\.hook_resid_pre", "blocks", -1),
    (r"blocks\.(\d+)\.hook_mlp_out", "memories", 0),
)
"""TransformerLens's names of places, the block, and how far before it they are."""
_FOLDERS: tuple[tuple[str, Site | None], ...] = (
    (r"(?:layers|h)\.(\d+)\.mlp", "memories"),
    (r"(?:layers|h)\.(\d+)", "blocks"),
    (r"layer_(\d+)(?:_\w+)?", None),
)
"""What sparsify and Gemma Scope call folders; the last does not say what is read there."""
_NAMES = 7
"""How many folders up a name may say something: as deep as a collection lies in the hub's cache."""


@dataclass(frozen=True)
class Published:
    """Where an autoencoder belongs, and what it does."""

    layer: int
    site: Site | None
    """None where nothing says it."""
    autoencoder: SparseAutoencoder


def read_autoencoder(named: str, width: int, layers: int, device: torch.device) -> Published:
    """An autoencoder from its file or its folder.

    Args:
        named: the path, or ``12=path`` for one whose block is said by nothing else.
        width: d of the model that it is for.
        layers: how many blocks that has.
        device: where the model is.

    Raises:
        UsageError: it is not there, of a kind that is not known, of another model, or nobody says of which block.
    """
    number, equals, rest = named.partition("=")
    said = int(number) if equals and number.isdigit() else None
    path = _file(Path(rest if said is not None else named))
    configuration, tensors = _configuration(path), _tensors(path)
    layer, site = _place(path, configuration)
    layer = layer if said is None else said
    if layer is None:
        raise UsageError(f"Nothing says which block {path} belongs to; write it before it: --autoencoder 12={named}")
    if not 0 <= layer < layers:
        raise UsageError(f"{path} is of block {layer}, and the model's blocks are 0 to {layers - 1}.")
    autoencoder = _autoencoder(path, configuration, tensors)
    if (own := autoencoder.encoder.shape[1]) != width:
        raise UsageError(
            f"{path} reads states of {own} numbers, and the model's have {width}: it was learned on another model."
        )
    return Published(layer, site, autoencoder.to(device))


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    found = [path / name for name in FILES if (path / name).is_file()]
    if not found:
        raise UsageError(
            f"There is no sparse autoencoder at {path}: neither {', '.join(FILES[:-1])} nor {FILES[-1]}. Download the "
            "folder of one block, for instance with `hf download`, and name it."
        )
    return found[0]


def _configuration(path: Path) -> dict[str, Any]:
    """What lies beside the weights; names that moved are where they were before."""
    for name in _CONFIGURATIONS:
        if (file := path.parent / name).is_file():
            try:
                read = json.loads(file.read_text(encoding="utf-8"))
                inner = read.get("metadata") or read.get("meta") or {}
                return {**inner, **{name: value for name, value in read.items() if value is not None}}
            except (ValueError, AttributeError, TypeError) as error:
                raise UsageError(f"{file} cannot be read: {error}. Download it again.") from None
    return {}


def _tensors(path: Path) -> dict[str, Tensor]:
    """The weights in float32, by name in small letters."""
    try:
        if path.suffix == ".npz":
            import numpy as np

            with path.open("rb") as file, np.load(file) as arrays:
                read = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        else:
            from safetensors.torch import load_file

            read = load_file(path)
    except Exception as error:  # whatever is wrong with a file that somebody downloaded
        raise UsageError(f"{path} cannot be read: {str(error).splitlines()[0]}. Download it again.") from None
    return {name.lower(): tensor.float() for name, tensor in read.items()}


def _place(path: Path, configuration: Mapping[str, Any]) -> tuple[int | None, Site | None]:
    """Of which block it is, and what it reads there, as far as something says so."""
    hook = configuration.get("hook_name") or configuration.get("hook_point")
    if isinstance(hook, str):
        for pattern, site, shift in _HOOKS:
            if found := re.fullmatch(pattern, hook):
                return int(found[1]) + shift, site
        raise UsageError(f"{path} reads {hook}, and methods here read the residual stream behind a block, or MLPs.")
    folders = [folder.name for folder in path.absolute().parents][:_NAMES]
    words = {word for name in folders for word in re.split(r"[^a-z]+", name.lower())}
    if words & {"att", "attn", "transcoder", "transcoders"}:
        raise UsageError(f"{path} is no autoencoder of the residual stream behind a block, nor of an MLP's output.")
    # What the name of a collection says: gemma-scope-2b-pt-res.
    collected: Site | None = "memories" if "mlp" in words else "blocks" if words & {"res", "resid"} else None
    for name in folders:
        for pattern, read in _FOLDERS:
            if found := re.search(rf"(?:^|\.){pattern}$", name):
                return int(found[1]), read or collected
    return None, None


def _autoencoder(path: Path, configuration: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SparseAutoencoder:
    sparsify = "encoder.weight" in tensors
    names = ("encoder.weight", "encoder.bias") if sparsify else ("w_enc", "b_enc")
    missing = [name for name in (*names, "w_dec", "b_dec") if name not in tensors]
    if missing:
        raise UsageError(f"{path} has no {missing[0]}: it is no sparse autoencoder of a kind that is known here.")
    if any(name in tensors for name in ("w_skip", "r_mag", "b_mag")) or configuration.get("transcode"):
        raise UsageError(f"{path} is a gated one or a transcoder, and methods here work with plain autoencoders.")
    if configuration.get("normalize_activations") not in (None, False, "none"):
        raise UsageError(
            f"{path} reads states that were normalized ({configuration['normalize_activations']}). Use one into which "
            "the factor is folded."
        )
    encoder = tensors[names[0]] if sparsify else tensors[names[0]].T
    bias, decoder, offset = tensors[names[1]], tensors["w_dec"], tensors["b_dec"]
    if not (encoder.shape == decoder.shape and bias.shape == encoder.shape[:1] and offset.shape == encoder.shape[1:]):
        raise UsageError(
            f"The weights of {path} do not fit each other: {tuple(encoder.shape)}, {tuple(decoder.shape)}."
        )
    threshold = tensors.get("threshold")
    # Gemma Scope does not take the decoder's bias off before it encodes; SAELens says whether it does.
    if not sparsify and not configuration.get("apply_b_dec_to_input", not path.name.startswith("params")):
        bias = bias + encoder @ offset
    if configuration.get("rescale_acts_by_decoder_norm"):
        lengths = decoder.norm(dim=1)
        encoder, bias, decoder = encoder * lengths[:, None], bias * lengths, decoder / lengths[:, None]
        threshold = threshold * lengths if threshold is not None else None
    return SparseAutoencoder(
        encoder.contiguous(), bias, decoder.contiguous(), offset, _active(path, configuration, len(encoder)), threshold
    )


def _active(path: Path, configuration: Mapping[str, Any], features: int) -> int:
    """k: as many as there are features where nothing limits them."""
    more = configuration.get("activation_fn_kwargs") or {}
    k = configuration.get("k", more.get("k"))
    if k is None and "topk" in str(configuration.get("architecture", configuration.get("activation", ""))):
        raise UsageError(f"The configuration beside {path} does not say k, how many features may be active.")
    return features if k is None else max(1, min(features, round(float(k))))
