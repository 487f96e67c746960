"""Models that others published, read from this machine alone.

Named classes, safetensors, no network, and no code that comes with a model. Whoever asks says by
`what` the model is called in an error: "the encoder x".
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from transformers import PreTrainedModel
from transformers.utils import logging

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
PARTS = "model.safetensors.index.json"
"""Which file holds which weight, where they are too many for one."""
TOKENIZER = "tokenizer.json"


def locate(name: str, what: str) -> Path:
    """The folder `name`, or that of a hub id in the local cache; `ValueError` without either."""
    if Path(name).is_dir():
        return Path(name).resolve()
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError) as error:
        raise ValueError(f"no {what} {name}: neither a folder nor in the local cache") from error


def config(folder: Path, what: str, kinds: Collection[str]) -> dict[str, Any]:
    """The config.json in `folder`; `ValueError` where a file is missing, where the model is of none
    of `kinds`, or where it brings code of its own."""
    for needed in (CONFIG, WEIGHTS, TOKENIZER):
        in_parts = needed == WEIGHTS and (folder / PARTS).is_file()
        if not in_parts and not (folder / needed).is_file():
            raise ValueError(f"{what} has no {needed}")
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{what} has a {CONFIG} that is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{what} has a {CONFIG} that is no object")
    if "auto_map" in found:
        raise ValueError(f"{what} brings code of its own, which is never run")
    if found.get("model_type") not in kinds:
        raise ValueError(
            f"{what} is of type {found.get('model_type')!r}; supported are {', '.join(kinds)}"
        )
    return found


def read(
    model_class: type[PreTrainedModel], folder: Path, what: str, **options: Any
) -> PreTrainedModel:
    """The model in `folder`; `ValueError` where weights cannot be read, or are not all there."""
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    options |= {"local_files_only": True, "use_safetensors": True}
    try:
        found: Any = model_class.from_pretrained(str(folder), output_loading_info=True, **options)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"the weights in {folder} cannot be read: {error}") from error
    model, report = found
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"{what} lacks {len(missing)} weights of such a model: {missing[0]}, …")
    return cast("PreTrainedModel", model)
