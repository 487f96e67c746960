"""The keys of the review page, as a form of the own account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from . import keys
from .models import User


class KeysForm(forms.Form):
    """A field of combinations, apart by spaces, for each action of the review page."""

    single_keys = forms.BooleanField(required=False, label="Single-key shortcuts")

    def __init__(self, user: User, data: Any = None) -> None:
        self.user = user
        bound: Any = keys.bindings(user)["keys"]
        chosen = {action: " ".join(combinations) for action, combinations in bound.items()}
        super().__init__(data, initial=chosen | {"single_keys": user.single_keys})
        # No autofill, no capital at the start, no red line below: these are no words.
        plain = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        for action in keys.ACTIONS:
            self.fields[action.id] = forms.CharField(
                required=False,
                max_length=100,
                label=action.title,
                widget=forms.TextInput(attrs=plain | {"dir": "ltr"}),
            )

    @property
    def actions(self) -> list[forms.BoundField]:
        """The fields of the actions, in order."""
        return [self[action.id] for action in keys.ACTIONS]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        typed = {action: cleaned[action].split() for action in keys.BY_ID if action in cleaned}
        try:
            cleaned["keys"] = keys.check(typed)
        except ValidationError as refusal:
            self.add_error(None, refusal)
        return cleaned

    def save(self) -> None:
        self.user.keys = self.cleaned_data["keys"]
        self.user.single_keys = self.cleaned_data["single_keys"]
        self.user.save(update_fields=["keys", "single_keys"])
