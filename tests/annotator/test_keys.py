"""The keys of the review page: how they are written, what may be chosen, what holds for whom."""

from __future__ import annotations

import itertools

import pytest
from django.core.exceptions import ValidationError

from annotator import keys
from annotator.models import User
from tests import factories


def refusal(chosen: dict[str, list[str]]) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refused:
        keys.check(chosen)
    return refused.value.message_dict


def test_the_defaults_are_written_as_they_are_read_and_never_clash() -> None:
    combinations = [key for action in keys.ACTIONS for key in action.keys]
    assert [keys.read(combination) for combination in combinations] == combinations
    assert len(set(combinations)) == len(combinations)
    assert keys.check({action.id: action.keys for action in keys.ACTIONS}) == {}


def test_actions_differ_in_id_and_title() -> None:
    for one, other in itertools.combinations(keys.ACTIONS, 2):
        assert one.id != other.id
        assert one.title != other.title


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("A", "a"),
        ("shift+A", "Shift+a"),
        ("shift+ctrl+Z", "Ctrl+Shift+z"),
        ("Cmd+enter", "Ctrl+Enter"),
        ("option+]", "Alt+]"),
        ("arrowdown", "ArrowDown"),
        ("SPACE", "Space"),
        ("f5", "F5"),
        ("+", "+"),
        ("Ctrl++", "Ctrl++"),
        ("Ф", "ф"),
    ],
)
def test_what_is_typed_is_written_one_way(typed: str, written: str) -> None:
    assert keys.read(typed) == written


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("5", "digits give labels"),
        ("Shift+5", "digits give labels"),
        ("Ctrl+٣", "digits give labels"),
        ("Escape", "closes what is open"),
        ("Shift+Tab", "leads through the page"),
        ("Shift+]", "write the character that it types"),
        ("ab", "is no key"),
        ("a,", "is no key"),
        ("", "is no key"),
        ("Ctrl+", "is no key"),
        ("Ctrl", "is no key"),
        ("Hyper+a", "is no combination"),
        ("Ctrl+Cmd+a", "is no combination"),
        ("++a", "is no combination"),
        ("Ctrl+w", "the browser keeps it"),
        ("ctrl+shift+T", "the browser keeps it"),
        ("\x07", "is no key"),
        ("x" * 5_000, "is no key"),
    ],
)
def test_what_cannot_be_a_key_is_refused_with_the_remedy(typed: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        keys.read(typed)
    assert len(refused.value.messages[0]) < 250


def test_only_what_differs_is_kept() -> None:
    assert keys.check({"accept": ["y"], "reject": ["x"], "next": ["ArrowDown", "j"]}) == {
        "accept": ["y"],
        "next": ["ArrowDown", "j"],
    }


def test_an_action_may_have_no_key() -> None:
    assert keys.check({"everywhere": []}) == {"everywhere": []}


def test_two_actions_may_change_places() -> None:
    swapped = {"accept": ["x"], "reject": ["a"]}
    assert keys.check(swapped) == swapped


def test_one_key_for_two_things_is_refused_at_both() -> None:
    errors = refusal({"accept": ["F"]})
    said = "“f” cannot do two things: “Accept” and “Flag the document”."
    assert errors == {"accept": [said], "flag": [said]}


def test_the_same_key_twice_for_one_thing_is_kept_once() -> None:
    assert keys.check({"accept": ["y", "Y"]}) == {"accept": ["y"]}


def test_a_refused_key_is_not_called_taken_as_well() -> None:
    assert set(refusal({"accept": ["7"], "reject": ["a"]})) == {"accept"}


def test_more_keys_than_anybody_needs_are_refused() -> None:
    assert "At most 4" in refusal({"accept": ["q", "w", "e", "r", "t"]})["accept"][0]


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(ValidationError, match="no action"):
        keys.check({"format_disk": ["y"]})


@pytest.mark.parametrize(
    ("combination", "single"),
    [("a", True), ("Shift+ArrowLeft", True), ("Alt+]", True), ("Ctrl+z", False), ("+", True)],
)
def test_single_is_what_needs_no_ctrl(combination: str, single: bool) -> None:
    assert keys.is_single(combination) is single


# --- For a person --------------------------------------------------------------------------------
def test_who_chose_nothing_has_the_defaults() -> None:
    found = keys.bindings(User())
    assert found == {
        "single_keys": True,
        "keys": {action.id: list(action.keys) for action in keys.ACTIONS},
    }


def bound(user: User) -> dict[str, list[str]]:
    found = keys.bindings(user)["keys"]
    assert isinstance(found, dict)
    return found


def test_own_keys_go_before_defaults() -> None:
    chosen = bound(User(keys={"accept": ["y"], "flag": []}))
    assert (chosen["accept"], chosen["flag"], chosen["reject"]) == (["y"], [], ["x"])


def test_a_default_that_a_person_gave_to_something_else_does_nothing() -> None:
    """As after an update that brings an action whose key was taken."""
    chosen = bound(User(keys={"accept": ["j"], "gone_since": ["z"]}))
    assert chosen["accept"] == ["j"]
    assert chosen["next"] == ["ArrowDown"]
    assert "gone_since" not in chosen


@pytest.mark.django_db
def test_reset_brings_all_defaults_back() -> None:
    user = factories.make_user(keys={"accept": ["y"]}, single_keys=False)
    keys.reset(user)
    user.refresh_from_db()
    assert keys.bindings(user) == keys.bindings(User())
