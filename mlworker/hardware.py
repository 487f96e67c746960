"""What the machine at hand can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is computed in hardware; where it is emulated, float32 is faster."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says so; on a CPU, torch raises a plain `RuntimeError`."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def fitting(work: Callable[[list[Item]], list[Result]], batch: list[Item]) -> list[Result]:
    """What `work` makes of `batch`, a result for each item. A batch that does not fit the memory
    is halved; what `work` raises for a single item that does not is raised."""
    if not batch:
        return []
    try:
        return work(batch)
    except (RuntimeError, MemoryError) as error:
        if len(batch) == 1 or not out_of_memory(error):
            raise
    half = len(batch) // 2
    return fitting(work, batch[:half]) + fitting(work, batch[half:])
