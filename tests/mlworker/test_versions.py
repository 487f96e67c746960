from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from mlworker import encoders, versions
from mlworker.versions import LocalModel


@pytest.fixture
def saved(untrained: LocalModel, tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "v1"
    versions.save(untrained, folder, {"seed": 1})
    return folder


def test_a_version_is_its_four_files_and_comes_back_as_it_was(
    saved: Path, untrained: LocalModel
) -> None:
    names = {"model.safetensors", "config.json", "tokenizer.json", "manifest.json"}
    assert {file.name for file in saved.iterdir()} == names
    assert [folder.name for folder in saved.parent.iterdir()] == ["v1"]
    assert len({file.stat().st_mode for file in saved.iterdir()}) == 1
    loaded = versions.load(saved)
    assert loaded.config == untrained.config
    state = loaded.classifier.state_dict()
    for name, tensor in untrained.classifier.state_dict().items():
        assert torch.equal(state[name], tensor.half().float())


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_one_flipped_bit_is_refused(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(content)
    with pytest.raises(versions.DamagedVersionError, match=f"{name} has changed"):
        versions.load(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "manifest.json"])
def test_a_missing_file_is_refused(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(versions.DamagedVersionError, match="not complete"):
        versions.load(saved)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"sha256": {}}', '{"sha256": 3}'])
def test_a_manifest_that_names_no_sums_is_refused(saved: Path, manifest: str) -> None:
    (saved / "manifest.json").write_text(manifest)
    with pytest.raises(versions.DamagedVersionError, match="not complete"):
        versions.load(saved)


def test_a_later_format_is_refused(saved: Path) -> None:
    facts = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps({**facts, "format": 99}))
    with pytest.raises(versions.DamagedVersionError, match="format 99"):
        versions.read_config(saved)


def test_a_failed_save_leaves_the_older_version_and_nothing_else(
    saved: Path, untrained: LocalModel
) -> None:
    with pytest.raises(TypeError):
        versions.save(untrained, saved, {"seed": object()})
    assert [folder.name for folder in saved.parent.iterdir()] == ["v1"]
    versions.verify(saved)


def test_a_repeated_save_takes_the_place_of_the_first(saved: Path, untrained: LocalModel) -> None:
    versions.save(untrained, saved, {"seed": 2})
    assert versions.read_config(saved)["seed"] == 2
    versions.verify(saved)


def test_an_encoder_folder_must_be_whole_and_of_a_known_kind(
    encoder_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(encoder_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    with pytest.raises(ValueError, match="'gpt2'"):
        encoders.load(str(folder))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        encoders.load(str(folder))


def test_an_encoder_that_is_not_here_is_not_fetched() -> None:
    with pytest.raises(ValueError, match="neither a folder nor in the local cache"):
        encoders.load("nobody/has-this-encoder")


def test_spanlight_encoder_names_the_encoder(
    encoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPANLIGHT_ENCODER", str(encoder_folder))
    assert encoders.load().name == str(encoder_folder)


@pytest.mark.slow
def test_the_default_encoder_is_the_one_that_was_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SPANLIGHT_ENCODER", raising=False)
    found = encoders.load()
    assert found.model.config.hidden_size == 384
    monkeypatch.setattr(encoders, "DEFAULT_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="not those that were published"):
        encoders.load()
