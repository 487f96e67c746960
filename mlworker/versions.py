"""Model versions on disk: immutable folders of safetensors and JSON with a SHA-256 manifest.

A version holds all that tagging needs, its encoder and vocabulary too, and what it remembers of
its gold. It appears whole or not at all, and a file that has changed since is refused.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from mlworker import encoders
from mlworker.config import ModelConfig
from mlworker.data import WordPieces
from mlworker.encoders import sha256
from mlworker.memory import Memory
from mlworker.model import SpanClassifier
from mlworker.pretrained import TOKENIZER, WEIGHTS
from mlworker.schema import NO_ENTITY, Head

CONFIG = "config.json"
MEMORY = "memory.safetensors"
MANIFEST = "manifest.json"
FORMAT = 1


class DamagedVersionError(ValueError):
    """A model version's files are missing or not what its manifest says."""


@dataclass(frozen=True)
class LocalModel:
    """A model version in memory, on the device that it computes on.

    Its logits are divided by `temperature`, fitted on held-out gold, before the softmax.
    """

    config: ModelConfig
    classifier: SpanClassifier
    word_pieces: WordPieces
    temperature: float = 1.0

    @property
    def device(self) -> torch.device:
        return self.classifier.output.weight.device


def save(
    model: LocalModel, folder: Path, facts: Mapping[str, Any], memory: Memory | None = None
) -> None:
    """Writes a version in half precision; `facts` go into its config.json beside the sizes.

    An older version in `folder` is replaced: only a repeated attempt at the same one has it.
    """
    state = {
        name: tensor.detach().cpu().half().contiguous()
        for name, tensor in model.classifier.state_dict().items()
    }
    config = {
        "format": FORMAT,
        "model": asdict(model.config),
        "temperature": model.temperature,
        "encoder": model.classifier.encoder.config.to_dict(),
        **facts,
    }
    check_target(folder)
    with _written_whole(folder.resolve()) as draft:
        (draft / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")
        _save_tensors(state, draft / WEIGHTS)
        if memory is not None:
            _save_tensors(memory.tensors(), draft / MEMORY)
        model.word_pieces.tokenizer.save(str(draft / TOKENIZER))
        sums = {file.name: sha256(file) for file in sorted(draft.iterdir())}
        (draft / MANIFEST).write_text(json.dumps({"sha256": sums}, indent=1), encoding="utf-8")


def _save_tensors(tensors: dict[str, torch.Tensor], file: Path) -> None:
    save_file(tensors, file)
    # safetensors lets only its own user read; who may read the rest may read this too.
    file.chmod((file.parent / CONFIG).stat().st_mode)


def check_target(folder: Path) -> None:
    """Raises `ValueError` where something is in `folder` already that is no version."""
    is_version = (folder / MANIFEST).is_file()
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if folder.is_symlink() or not (is_version or is_free):
        raise ValueError(f"{folder} is there already and no model version: choose another folder")


def load(folder: Path) -> LocalModel:
    """The version in `folder`, in float32 on the CPU, ready to tag.

    Raises `DamagedVersionError` where a file is missing or its SHA-256 is not the manifest's.
    """
    verify(folder)
    facts = read_config(folder)
    sizes = facts["model"]
    config = ModelConfig(
        **{**sizes, "labels": tuple(sizes["labels"]), "head": Head(sizes.get("head", Head.SOFTMAX))}
    )
    classifier = SpanClassifier(config, encoders.rebuild(facts["encoder"]))
    state = load_file(folder / WEIGHTS)
    classifier.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    word_pieces = WordPieces(tokenizer, config.word_pieces)
    return LocalModel(config, classifier.eval(), word_pieces, facts.get("temperature", 1.0))


def recall(folder: Path) -> Memory | None:
    """The memory of the version in `folder`; None where it was trained before there was one.

    Raises as `load` does.
    """
    if MEMORY not in _sums(folder):
        return None
    verify(folder, (MEMORY, CONFIG))
    labels = read_config(folder)["model"]["labels"]
    return Memory.of((NO_ENTITY, *labels), load_file(folder / MEMORY))


def read_config(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if facts.get("format") != FORMAT:
        raise DamagedVersionError(f"{folder.name} has format {facts.get('format')!r}, not {FORMAT}")
    return facts


def verify(folder: Path, files: Sequence[str] = (WEIGHTS, CONFIG, TOKENIZER)) -> None:
    """Raises `DamagedVersionError` where one of `files` is not what the manifest says."""
    sums = _sums(folder)
    try:
        changed = [name for name in files if sha256(folder / name) != sums[name]]
    except (OSError, LookupError) as error:
        raise _incomplete(folder) from error
    if changed:
        raise DamagedVersionError(
            f"model version {folder.name}: {', '.join(changed)} has changed; "
            "bring it back as it was, or train again"
        )


def _sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of the version in `folder`, as its manifest says."""
    if not folder.is_dir():
        raise DamagedVersionError(
            f"there is no model version {folder}: bring its files back, or train again"
        )
    try:
        return dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _incomplete(folder) from error


def _incomplete(folder: Path) -> DamagedVersionError:
    return DamagedVersionError(
        f"model version {folder.name} is not complete: bring its files back, or train again"
    )


@contextmanager
def _written_whole(folder: Path) -> Iterator[Path]:
    """A draft folder beside `folder` that takes its place once everything is on the disk."""
    draft, old = (folder.parent / f".{folder.name}.{uuid.uuid4().hex}" for _ in range(2))
    draft.mkdir(parents=True)
    try:
        yield draft
        for path in [*draft.iterdir(), draft]:
            _flush(path)
        if folder.exists():
            folder.rename(old)
        try:
            draft.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        _flush(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
