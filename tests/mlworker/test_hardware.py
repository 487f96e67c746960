from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from mlworker import hardware


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_items_are_worked_on_at_once_and_share_the_cores(four_threads: None) -> None:
    both = threading.Barrier(2, timeout=60)

    def work(item: int) -> tuple[int, int]:
        both.wait()  # nobody gets past it alone
        return item, torch.get_num_threads()

    assert hardware.side_by_side(work, [3, 1]) == [(3, 2), (1, 2)]
    assert torch.get_num_threads() == 4


def test_what_is_made_of_items_keeps_their_order(four_threads: None) -> None:
    assert hardware.side_by_side(str, range(50)) == [str(number) for number in range(50)]


def test_a_lone_item_has_all_cores(four_threads: None) -> None:
    here = threading.current_thread()
    found = hardware.side_by_side(
        lambda _: (threading.current_thread() is here, torch.get_num_threads()), ["alone"]
    )
    assert found == [(True, 4)]
    assert hardware.side_by_side(str, []) == []


def test_an_error_is_raised_and_all_cores_are_given_back(four_threads: None) -> None:
    with pytest.raises(ZeroDivisionError):
        hardware.side_by_side(lambda item: 1 // item, [1, 0, 1])
    assert torch.get_num_threads() == 4
    threads: list[int] = []
    later = threading.Thread(target=lambda: threads.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert threads == [4]
