"""The two messages that put multiple-choice questions about spans to an LLM.

The system message depends on the prompt and the labels alone, so providers cache it: the
instructions, a line per option, and the prompt's examples. The user message of the form `choice`
is a JSON object and nothing else:

    {"options": {"A": "person", "B": "location", "C": "not an entity"},
     "items": [{"id": 1, "context": "I met ⟦Ada⟧ .", "span": "Ada"}]}

Items are numbered from 1 in the order of the request's questions; a database id never leaves. An
item with examples of its own has them beside it, under "examples". The form `question` asks one
question in the words of the LinkNER paper (Table 5) and is there to compare with. The form `sweep`
has sentences read whole:

    {"labels": {"A": "person", "B": "location"}, "texts": [{"id": 1, "text": "I met Ada ."}]}

Pure, and free of other libraries: workers and pages build the messages with the same code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from mlworker.schema import NO_ENTITY, PROMPT, AskRequest, Example, Form, Label, Prompt, Question

PROMPTS = Path(__file__).parent / "prompts"
BUILT_IN = {"choice.v2": Form.CHOICE, "paper.v1": Form.QUESTION, "sweep.v1": Form.SWEEP}
"""Name of a file in `prompts/` → how questions are put with it."""
SLOT = "{{options}}"

OPEN, CLOSE = "\u27e6", "\u27e7"
PLAIN_BRACKETS = str.maketrans({OPEN: "[", CLOSE: "]"})

NOTHING = Label(
    "not an entity",
    "the marked words are no name of these kinds, or only a part of one, or a name and more.",
)
"""The last option of a question; a label that is called so is another."""
NON_ENTITY = "Non-entity"
"""What the paper calls "not an entity"."""
EXAMPLES = "Examples, each with the code of its answer:"


@dataclass(frozen=True)
class Messages:
    """`options` maps each answer that the LLM may give (a code, or a name) to the label name that
    it stands for, or to `NO_ENTITY`."""

    system: str
    user: str
    options: dict[str, str]


@cache
def built_in(name: str = PROMPT) -> Prompt:
    """The prompt of this name; raises `ValueError` where there is none."""
    if name not in BUILT_IN:
        raise ValueError(f"there is no prompt {name!r}")
    text = (PROMPTS / f"{name}.txt").read_text(encoding="utf-8")
    return Prompt(text.strip(), BUILT_IN[name])


def build(request: AskRequest) -> Messages:
    """Raises `ValueError` where the prompt's form cannot put this request."""
    messages = FORMS[request.prompt.form](request)
    return Messages(encodable(messages.system), encodable(messages.user), messages.options)


# --- Several questions with coded options ------------------------------------------------------
def _choices(request: AskRequest) -> Messages:
    offered = _coded([*request.labels, NOTHING])
    names = {code: label.name for code, label in offered.items()}
    *_, last = offered
    options = names | {last: NO_ENTITY}
    user = {
        "options": names,
        "items": [_item(n, question, options) for n, question in enumerate(request.questions, 1)],
    }
    text = _task(request.prompt, offered)
    examples = [compact(example) for example in _answered(request.prompt.examples, options)]
    system = "\n".join([f"{text}\n\n{EXAMPLES}", *examples]) if examples else text
    return Messages(system, compact(user), options)


def _item(number: int, question: Question, options: dict[str, str]) -> dict[str, Any]:
    item = {"id": number, "context": marked(question), "span": plain(surface(question))}
    beside = _answered(question.examples, options)
    return item | {"examples": beside} if beside else item


def _answered(examples: Sequence[Example], options: dict[str, str]) -> list[dict[str, str]]:
    """Examples as items with their answers; those of a label that is not offered are left out."""
    code_of = {name: code for code, name in options.items()}
    return [
        {"context": marked(example), "label": code_of[example.label]}
        for example in examples
        if example.label in code_of
    ]


def _coded(labels: Sequence[Label]) -> dict[str, Label]:
    return dict(zip(codes(len(labels)), labels, strict=True))


def _task(prompt: Prompt, offered: Mapping[str, Label]) -> str:
    """With one line per option, and its description.

    The slot is filled by plain replacement: braces in a description stay what they are.
    """
    lines = [
        _option(f"{code} = {label.name}", label.description) for code, label in offered.items()
    ]
    return prompt.text.replace(SLOT, "\n".join(lines))


def _option(name: str, description: str) -> str:
    return one_line(f"{name}: {description}" if description.strip() else name)


def codes(count: int) -> Iterator[str]:
    """`count` codes of equal length: A, B, C… and where the letters run out AA, AB…

    Of equal length, so that none is the beginning of another.
    """
    width = 1
    while len(ascii_uppercase) ** width < count:
        width += 1
    letters = product(ascii_uppercase, repeat=width)
    return ("".join(next(letters)) for _ in range(count))


# --- The paper's one question ------------------------------------------------------------------
def _one_question(request: AskRequest) -> Messages:
    """Descriptions and the examples of all questions go into the system message, which is cached;
    the paper sends the same words in one message."""
    if len(request.questions) != 1:
        raise ValueError("this prompt puts one question at a time")
    names = {label.name: label.name for label in request.labels}
    if NON_ENTITY in names:
        raise ValueError(f"this prompt calls no entity “{NON_ENTITY}”, and a label is called so")
    options = names | {NON_ENTITY: NO_ENTITY}
    (question,) = request.questions
    lines = [_option(label.name, label.description) for label in request.labels]
    text = request.prompt.text.replace(SLOT, "\n".join(lines))
    offered = {label: name for name, label in options.items()}
    shared = _solved(request.prompt.examples, offered, 1)
    beside = _solved(question.examples, offered, len(shared) + 1)
    put = f"{_asked(question)}: {'; '.join(options)}. Answer:"
    return Messages("\n\n".join([text, *shared]), "\n\n".join([*beside, put]), options)


def _solved(examples: Sequence[Example], offered: dict[str, str], first: int) -> list[str]:
    """Examples with their answers, numbered from `first`."""
    known = [example for example in examples if example.label in offered]
    return [
        f"Example {number}: {_asked(example)}. Answer: {offered[example.label]}"
        for number, example in enumerate(known, first)
    ]


def _asked(about: Question | Example) -> str:
    return (
        f'"<Context>: {about.context}" Select the entity type of {surface(about)} in this context, '
        "and only need to output the entity type"
    )


# --- Sentences to be read whole ----------------------------------------------------------------
def _sentences(request: AskRequest) -> Messages:
    offered = _coded(request.labels)
    options = {code: label.name for code, label in offered.items()}
    texts = [{"id": n, "text": passage.text} for n, passage in enumerate(request.passages, 1)]
    user = compact({"labels": options, "texts": texts})
    return Messages(_task(request.prompt, offered), user, options)


FORMS = {Form.CHOICE: _choices, Form.QUESTION: _one_question, Form.SWEEP: _sentences}


# --- Texts -------------------------------------------------------------------------------------
def marked(about: Question | Example) -> str:
    """The context with the span between ⟦ and ⟧, which stand nowhere else in it."""
    before, after = about.context[: about.start], about.context[about.end :]
    return f"{plain(before)}{OPEN}{plain(surface(about))}{CLOSE}{plain(after)}"


def surface(about: Question | Example) -> str:
    return about.context[about.start : about.end]


def plain(text: str) -> str:
    """`text` with plain brackets for the two markers, character for character."""
    return text.translate(PLAIN_BRACKETS)


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def one_line(text: str) -> str:
    return " ".join(text.split())


def encodable(text: str) -> str:
    """`text` with a question mark for each lone surrogate, which no request could carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
