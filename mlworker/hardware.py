"""What the machine at hand can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_WORKERS = 4
"""Python runs in one of them at a time, so that more would only wait for each other."""


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


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What `work` makes of each of `items`, in their order. Several are worked on at once, each on
    its share of the cores: a small product gains little from being cut up between all of them."""
    threads = torch.get_num_threads()
    workers = min(threads, len(items), MOST_WORKERS)
    if workers < 2:
        return list(map(work, items))
    share = threads // workers
    try:
        with ThreadPoolExecutor(workers, "worker", torch.set_num_threads, (share,)) as pool:
            return list(pool.map(work, items))
    finally:
        # What a thread sets for itself is also what threads to come begin with.
        torch.set_num_threads(threads)


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
