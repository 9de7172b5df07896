"""Published sparse autoencoders: what is read from their files encodes and decodes as their authors' code says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_runs import Run as Command
from numpy.testing import assert_allclose
from safetensors.torch import save_file
from unlearning_toys import invented_data, write_rows

from reference_impls.errors import UsageError
from reference_impls.running import saving
from reference_impls.running import sweep as sweeping
from reference_impls.toolkit import LanguageModel, Recipe, Run, features_of
from reference_impls.toolkit.published_autoencoders import Published, read_autoencoder

WIDTH, FEATURES, LAYERS = 128, 24, 4
STATES = np.random.default_rng(1).normal(size=(7, WIDTH)).astype(np.float32)


def _weights(seed: int = 0) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """In the layout of SAELens and Gemma Scope; the decoder's rows have lengths of their own."""
    rng = np.random.default_rng(seed)
    shapes = {"W_enc": (WIDTH, FEATURES), "b_enc": (FEATURES,), "W_dec": (FEATURES, WIDTH), "b_dec": (WIDTH,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def _saelens(folder: Path, weights: dict[str, Any], **configuration: Any) -> Path:
    folder.mkdir(parents=True)
    save_file({name: torch.from_numpy(one) for name, one in weights.items()}, folder / "sae_weights.safetensors")
    told = {"architecture": "standard", "hook_name": "blocks.2.hook_resid_post", "dtype": "float32"} | configuration
    (folder / "cfg.json").write_text(json.dumps(told))
    return folder


def _sparsify(folder: Path, weights: dict[str, Any], **configuration: Any) -> Path:
    folder.mkdir(parents=True)
    named = {
        "encoder.weight": torch.from_numpy(weights["W_enc"]).T.contiguous(),
        "encoder.bias": torch.from_numpy(weights["b_enc"]),
        "W_dec": torch.from_numpy(weights["W_dec"]),
        "b_dec": torch.from_numpy(weights["b_dec"]),
    }
    save_file(named, folder / "sae.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"d_in": WIDTH, "k": 5, "activation": "topk"} | configuration))
    return folder


def _gemma_scope(folder: Path, weights: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    np.savez(folder / "params.npz", **weights)
    return folder


def _read(named: str | Path) -> Published:
    return read_autoencoder(str(named), WIDTH, LAYERS, torch.device("cpu"))


def _top(before: np.ndarray[Any, Any], k: int) -> np.ndarray[Any, Any]:
    kept = np.zeros_like(before)
    for row, one in enumerate(before):
        places = np.argsort(one)[::-1][:k]
        kept[row, places] = np.maximum(one[places], 0)
    return kept


def _check(found: Published, features: np.ndarray[Any, Any], told: np.ndarray[Any, Any]) -> None:
    states = torch.from_numpy(STATES)
    encoded = found.autoencoder.encode(states)
    assert_allclose(encoded, features, rtol=1e-4, atol=1e-4)
    assert_allclose(found.autoencoder.decode(encoded), told, rtol=1e-4, atol=1e-2)


# The forms, each by its authors' formula


@pytest.mark.parametrize("taken_off", [True, False])
def test_saelens_with_relu(taken_off: bool, tmp_path: Path) -> None:
    w = _weights()
    found = _read(_saelens(tmp_path / "sae", w, apply_b_dec_to_input=taken_off))
    features = np.maximum((STATES - taken_off * w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    _check(found, features, features @ w["W_dec"] + w["b_dec"])
    assert (found.layer, found.site) == (2, "blocks")


@pytest.mark.parametrize("rescaled", [True, False])
def test_saelens_with_the_largest_k(rescaled: bool, tmp_path: Path) -> None:
    w = _weights()
    told = {"k": 4} if rescaled else {"activation_fn_kwargs": {"k": 4}, "activation_fn_str": "topk"}
    folder = _saelens(tmp_path / "s", w, architecture="topk", rescale_acts_by_decoder_norm=rescaled, **told)
    lengths = np.linalg.norm(w["W_dec"], axis=1) if rescaled else np.ones(FEATURES)
    features = _top(((STATES - w["b_dec"]) @ w["W_enc"] + w["b_enc"]) * lengths, 4)
    _check(_read(folder), features, (features / lengths) @ w["W_dec"] + w["b_dec"])


def test_saelens_with_thresholds_and_the_names_of_its_sixth_version(tmp_path: Path) -> None:
    w = _weights() | {"threshold": np.linspace(0, 20, FEATURES, dtype=np.float32)}
    folder = _saelens(
        tmp_path / "s", w, architecture="jumprelu", hook_name=None, metadata={"hook_name": "blocks.1.hook_mlp_out"}
    )
    before = (STATES - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    features = np.where(before > w["threshold"], before, 0)
    _check(_read(folder), features, features @ w["W_dec"] + w["b_dec"])
    assert (_read(folder).layer, _read(folder).site) == (1, "memories")


def test_gemma_scope(tmp_path: Path) -> None:
    w = _weights() | {"threshold": np.linspace(0, 20, FEATURES, dtype=np.float32)}
    place = tmp_path / "gemma-scope-2b-pt-res" / "layer_3" / "width_16k" / "average_l0_82"
    before = STATES @ w["W_enc"] + w["b_enc"]
    features = np.where(before > w["threshold"], np.maximum(before, 0), 0)
    for named in (_gemma_scope(place, w), place / "params.npz"):
        found = _read(named)
        _check(found, features, features @ w["W_dec"] + w["b_dec"])
        assert (found.layer, found.site) == (3, "blocks")


def test_sparsify(tmp_path: Path) -> None:
    w = _weights()
    found = _read(_sparsify(tmp_path / "layers.1.mlp", w))
    features = _top((STATES - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 5)
    _check(found, features, features @ w["W_dec"] + w["b_dec"])
    assert (found.layer, found.site) == (1, "memories")


@pytest.mark.parametrize(
    ("folder", "layer", "site"),
    [
        ("layers.2", 2, "blocks"),
        ("model.layers.0", 0, "blocks"),
        ("transformer.h.3.mlp", 3, "memories"),
        ("gemma-scope-2b-pt-mlp/layer_2/width_16k", 2, "memories"),
        ("downloads/layer_2_width_16k", 2, None),
    ],
)
def test_the_names_of_folders_say_where_it_belongs(folder: str, layer: int, site: str | None, tmp_path: Path) -> None:
    found = _read(_sparsify(tmp_path / folder, _weights()))
    assert (found.layer, found.site) == (layer, site)


def test_a_person_may_say_which_block(tmp_path: Path) -> None:
    assert _read(f"3={_sparsify(tmp_path / 'mine', _weights())}").layer == 3
    assert _read(f"1={_saelens(tmp_path / 'other', _weights(), hook_name='blocks.2.hook_resid_pre')}").layer == 1
    assert _read(tmp_path / "other").layer == 1  # what goes into the third block is what the second gives


# What cannot be


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda place: place / "nowhere", "There is no sparse autoencoder at"),
        (lambda place: _sparsify(place / "mine", _weights()), "Nothing says which block .*: --autoencoder 12="),
        (lambda place: _sparsify(place / "layers.4", _weights()), "is of block 4, and the model's blocks are 0 to 3"),
        (lambda place: _saelens(place / "s", _weights(), hook_name="blocks.1.attn.hook_z"), "reads blocks.1.attn"),
        (lambda place: _saelens(place / "s", _weights(), normalize_activations="layer_norm"), "were normalized"),
        (lambda place: _saelens(place / "s", _weights() | {"r_mag": np.ones(2, np.float32)}), "is a gated one"),
        (lambda place: _sparsify(place / "layers.1", _weights(), transcode=True), "or a transcoder"),
        (lambda place: _sparsify(place / "layers.1", _weights(), k=None), "does not say k"),
        (lambda place: _gemma_scope(place / "gemma-scope-2b-pt-att" / "layer_1", _weights()), "no autoencoder of the"),
        (
            lambda place: _gemma_scope(place / "layer_1", {"W_enc": np.ones((2, 3), np.float32)}),
            "has no b_enc: it is no sparse autoencoder",
        ),
        (
            lambda place: _gemma_scope(place / "layer_1", _weights() | {"b_dec": np.ones(3, np.float32)}),
            "do not fit each other",
        ),
        (
            lambda place: _gemma_scope(
                place / "layer_1",
                {"W_enc": np.ones((9, 3)), "b_enc": np.ones(3), "W_dec": np.ones((3, 9)), "b_dec": np.ones(9)},
            ),
            "reads states of 9 numbers, and the model's have 128",
        ),
    ],
)
def test_what_cannot_be_is_one_line(make: Callable[[Path], Path], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        _read(make(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["params.npz", "sae_weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04broken"])
def test_a_broken_file_is_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "layers.1").mkdir()
    (tmp_path / "layers.1" / name).write_bytes(content)
    with pytest.raises(UsageError, match=r"cannot be read: .*Download it again"):
        _read(tmp_path / "layers.1")


def test_a_pickle_in_the_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "layers.1").mkdir()
    np.savez(tmp_path / "layers.1" / "params.npz", W_enc=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UsageError, match="cannot be read"):
        _read(tmp_path / "layers.1")


def test_a_broken_configuration_is_one_line(tmp_path: Path) -> None:
    (_sparsify(tmp_path / "layers.1", _weights()) / "cfg.json").write_text("[1")
    with pytest.raises(UsageError, match=r"cfg.json cannot be read"):
        _read(tmp_path / "layers.1")


# In methods


def test_those_that_are_named_say_which_blocks(tiny: LanguageModel, tmp_path: Path) -> None:
    data = invented_data()
    names = tuple(str(_sparsify(tmp_path / f"layers.{layer}", _weights(layer))) for layer in (3, 1))
    found = list(features_of(tiny, [0, 2], data, Run(Recipe(), autoencoders=names)))
    assert [one.layer for one in found] == [1, 3]
    assert all(len(one.forget.share) == FEATURES for one in found)
    with pytest.raises(UsageError, match="works at one block, and 2 autoencoders are named"):
        list(features_of(tiny, [2], data, Run(Recipe(), autoencoders=names)))
    with pytest.raises(UsageError, match="and the method needs one of what an MLP writes"):
        list(features_of(tiny, [0, 2], data, Run(Recipe(), autoencoders=names), "memories"))
    with pytest.raises(UsageError, match="Two autoencoders of block 1"):
        list(features_of(tiny, [0, 2], data, Run(Recipe(), autoencoders=(names[1], names[1]))))


@pytest.fixture
def own(tmp_path: Path, saved_tiny: Path) -> list[object]:
    data = invented_data()
    write_rows(tmp_path / "forget.jsonl", data.forget)
    write_rows(tmp_path / "retain.jsonl", data.retain)
    return ["--model", saved_tiny, "--forget", tmp_path / "forget.jsonl", "--retain", tmp_path / "retain.jsonl"]


@pytest.mark.parametrize(
    ("method", "folder"),
    [("sae-clamping", "layers.1"), ("dsg", "layers.1"), ("crisp", "layers.1"), ("pisces", "layers.1.mlp")],
)
def test_every_method_of_features_takes_one_and_what_is_saved_needs_it_no_more(
    method: str, folder: str, own: list[object], unlearn: Command, tmp_path: Path
) -> None:
    place = _sparsify(tmp_path / folder, _weights())
    settings = ["--set", "ratio=0"] if method in ("crisp", "pisces") else []
    settings += ["--set", "retain_threshold=1"] if method == "sae-clamping" else []
    words = ["run", method, *own, "--autoencoder", place, *settings, "--steps", 1, "--out", tmp_path / "out", "--json"]
    ran = unlearn(*words)
    assert ran.status == 0, ran.err
    assert f"--autoencoder {place}" in json.loads(ran.out)["command"]
    (place / "sae.safetensors").unlink()
    assert isinstance(saving.load(str(tmp_path / "out")).generate(["Question: Who?\nAnswer:"], 2)[0], str)


def test_a_sweep_hands_it_to_those_that_read_features(
    own: list[object], unlearn: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(function: Any, jobs: Any, done: Any, workers: int) -> list[str]:
        return [function(job) for job in jobs]

    monkeypatch.setattr(sweeping, "run_all", here)
    place = _sparsify(tmp_path / "layers.1", _weights())
    words = ["--autoencoder", place, "--seeds", 1, "--steps", 1, "--out", tmp_path / "out", "--json"]
    ran = unlearn("sweep", "dsg", "npo", *own, *words)
    assert ran.status == 0, ran.err
    commands = {one["method"]: one["command"] for one in json.loads(ran.out)}
    assert {name for name, command in commands.items() if f"--autoencoder {place}" in command} == {"dsg"}
    assert set(commands) == {"dsg", "npo"}


def test_thresholds_come_back_from_what_was_saved(
    tiny: LanguageModel, tmp_path: Path, own: list[object], unlearn: Command
) -> None:
    weights = _weights() | {"threshold": np.linspace(0, 20, FEATURES, dtype=np.float32)}
    place = _gemma_scope(tmp_path / "layer_2", weights)
    ran = unlearn("run", "dsg", *own, "--autoencoder", place, "--out", tmp_path / "out", "--json")
    assert ran.status == 0, ran.err
    kept: Any = saving.load(str(tmp_path / "out"))
    assert kept.layer == 2
    assert_allclose(kept.clamp.autoencoder.threshold, weights["threshold"])


def test_who_reads_no_features_says_so(own: list[object], unlearn: Command, tmp_path: Path) -> None:
    ran = unlearn("run", "npo", *own, "--autoencoder", tmp_path)
    assert ran.status == 2
    assert "NPO reads no features; leave --autoencoder out." in " ".join(ran.err.split())
