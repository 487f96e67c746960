"""The operator's own chat model, in this process: read once, and kept.

Which model is the operator's alone to say: `LLM_FOLDER` is a local folder, or the name of a model
in the local hub cache. What makes tokens of a conversation is the model's own chat template; what
stands in a text stays text, also where it reads like a mark of the template.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any, cast

import torch
import transformers as hf
from jinja2 import TemplateError
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from mlworker import hardware, pretrained
from mlworker.llm.prompt import Messages

KINDS: dict[str, type[PreTrainedModel]] = {
    "llama": hf.LlamaForCausalLM,
    "mistral": hf.MistralForCausalLM,
    "qwen2": hf.Qwen2ForCausalLM,
    "qwen3": hf.Qwen3ForCausalLM,
}
"""Chat models by the `model_type` in their config.json."""

TEMPLATE = {"enable_thinking": False, "date_string": "26 Jul 2024"}
"""What some templates ask for: Qwen3's would begin with a thought, and Llama's tell the date, with
which answers would change. The others do not look at it."""

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class ChatModel:
    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast

    @property
    def longest(self) -> int:
        """The most tokens that it takes in at once."""
        return int(self.model.config.max_position_embeddings)

    def prompts(self, asked: Sequence[Messages]) -> list[Tokens]:
        """The tokens of each conversation up to where the model's turn begins.

        Raises `ValueError` where the model's template does not take such conversations.
        """
        chats = [
            [{"role": "system", "content": each.system}, {"role": "user", "content": each.user}]
            for each in asked
        ]
        render: Any = self.tokenizer.apply_chat_template
        try:
            shown = render(chats[0], tokenize=False, add_generation_prompt=True, **TEMPLATE)
            found = render(
                chats,
                add_generation_prompt=True,
                sanitize_control_tokens=True,
                return_dict=False,
                **TEMPLATE,
            )
        except (TemplateError, ValueError, TypeError) as error:
            raise ValueError(f"the chat template of {self.name} fails: {error}") from error
        if asked[0].system not in shown or asked[0].user not in shown:
            raise ValueError(f"the chat template of {self.name} leaves out a part of the prompt")
        return [tuple(tokens) for tokens in found]

    def turns(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of what the model would say, as it begins its turn with each of `texts`."""
        encoded: Any = self.tokenizer(list(texts), add_special_tokens=False)
        return [tuple(tokens) for tokens in encoded["input_ids"]]


def configured(name: str) -> ChatModel:
    """The operator's model, if it is the one called `name`, on the best device.

    Raises `ValueError` with what to do where there is none, or it cannot be used.
    """
    given = os.environ.get("LLM_FOLDER", "").strip()
    if not given:
        raise ValueError("no LLM is set up on this worker: set LLM_FOLDER to the folder of one")
    if PurePath(given).name != name:
        raise ValueError(
            f"{name} was to be asked, but LLM_FOLDER of this worker is {given}: set it alike for "
            "web and workers, and restart them"
        )
    try:
        return load(given)
    except OSError as error:
        raise ValueError(f"LLM_FOLDER cannot be read: {error}") from error
    except ValueError as error:
        raise ValueError(
            f"{error}. Set LLM_FOLDER to the folder of a chat model ({', '.join(KINDS)}) with "
            "safetensors and a chat template"
        ) from error


@lru_cache(maxsize=1)
def load(name: str) -> ChatModel:
    """The chat model called `name`: a local folder, or a hub id in the local cache.

    Raises `ValueError` where it is of no kind in `KINDS`, has no safetensors, tokenizer.json or
    chat template, brings code of its own, is quantised, or is too large; `OSError` where a file
    cannot be read.
    """
    what = f"the LLM {name}"
    folder = pretrained.locate(name, "LLM")
    config = pretrained.config(folder, what, KINDS)
    if "quantization_config" in config:
        raise ValueError(f"{what} is quantised, and only whole weights are read")
    tokenizer = _tokenizer(folder, what)
    device = hardware.best_device()
    dtype = torch.bfloat16 if hardware.fast_bfloat16(device) else torch.float32
    model: Any = pretrained.read(KINDS[config["model_type"]], folder, what, dtype=dtype)
    if len(tokenizer) > model.config.vocab_size:
        raise ValueError(f"{what} has a tokenizer that knows more tokens than the model")
    try:
        model = model.eval().to(device)
    except torch.OutOfMemoryError as error:
        raise ValueError(f"{what} does not fit the GPU's memory") from error
    return ChatModel(PurePath(name).name, model, tokenizer)


def _tokenizer(folder: Path, what: str) -> PreTrainedTokenizerFast:
    try:
        found: Any = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # the library raises no other
        raise ValueError(f"{what} has a tokenizer that cannot be read: {error}") from error
    if not found.chat_template:
        raise ValueError(f"{what} has no chat template, so it is not one to ask")
    return cast("PreTrainedTokenizerFast", found)
