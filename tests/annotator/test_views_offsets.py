"""The page's converter between UTF-16 and code points, run in Node, against Python's own counts."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from typing import Any

import pytest
from django.conf import settings

from annotator.formats.offsets import Draft, RawSpan, Unit, resolve
from annotator.formats.records import Record

OFFSETS = settings.BASE_DIR / "static" / "text.js"
# Letters, combining marks, emoji (joined, flags, skin tones), scripts right to left and unspaced.
PIECES = [
    *"ab Zé'-_9\t.",
    "e\u0301",
    "😀",
    "👨‍👩‍👧",
    "🇳🇴",
    "👍🏽",
    "𝒳",
    "שלום",
    "مرحبا",
    "東京",
    "สวัสดี",
    "नमस्ते",
]
RUNNER = """
const [path] = process.argv.slice(-1);
const fs = await import("node:fs");
const source = fs.readFileSync(path, "utf8");
const js = await import("data:text/javascript," + encodeURIComponent(source));
const cases = JSON.parse(fs.readFileSync(0, "utf8"));
const answers = cases.map(([name, text, number]) => js[name](text, number));
process.stdout.write(JSON.stringify(answers));
"""

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def run(cases: list[tuple[str, str, int]]) -> list[Any]:
    command = ["node", "--input-type=module", "-e", RUNNER, str(OFFSETS)]
    done = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=60
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def texts(number: int) -> list[str]:
    chance = random.Random(7)
    return ["".join(chance.choices(PIECES, k=chance.randint(0, 25))) for _ in range(number)]


def test_code_points_are_counted_as_python_counts_them() -> None:
    samples = texts(2000)
    assert run([("countPoints", text, 0) for text in samples]) == [len(text) for text in samples]


def test_every_code_point_has_its_utf16_index() -> None:
    cases = [(text, at) for text in texts(300) for at in range(len(text) + 1)]
    answers = run([("utf16Index", text, at) for text, at in cases])
    assert answers == [units(text[:at]) for text, at in cases]


def test_the_page_and_the_server_name_the_same_words_in_ten_thousand_texts() -> None:
    chance = random.Random(11)
    spans = []
    for text in texts(14_000):
        start = chance.randint(0, len(text))
        spans.append((text, start, chance.randint(start, len(text))))
    starts = run([("utf16Index", text, start) for text, start, _ in spans])
    ends = run([("utf16Index", text, end) for text, _, end in spans])
    drafts = [
        Draft(Record(text, 1, ""), [RawSpan(low, high, "x")], [], Unit.UTF_16)
        for (text, start, end), low, high in zip(spans, starts, ends, strict=True)
        if start < end
    ]
    read = [(m.start, m.end) for record in resolve(drafts, []) for m in record.mentions]
    assert read == [(start, end) for _, start, end in spans if start < end]
    assert len(read) >= 10_000


@pytest.mark.parametrize(
    ("text", "chosen", "grown"),
    [
        ("in Oslo today", "sl", "Oslo"),
        ("in Oslo’s port", "Os", "Oslo"),
        ("#Harbour42!", "bour", "Harbour42"),
        ("London-based", "ondo", "London"),
        ("café\u0301s", "af", "café\u0301s"),
        ("x 𝒳𝒴𝒵 y", "𝒴", "𝒳𝒴𝒵"),
        ("שלום עולם", "לו", "שלום"),
        ("我住在東京都", "東京", "東京"),
        ("👨‍👩‍👧 Bo", "👨‍👩‍👧", "👨‍👩‍👧"),
        ("a, b", ",", ","),
    ],
)
def test_a_selection_grows_to_whole_words(text: str, chosen: str, grown: str) -> None:
    start = units(text[: text.index(chosen)])
    end = start + units(chosen)
    low, high = run([("wordStart", text, start), ("wordEnd", text, end)])
    encoded = text.encode("utf-16-le")
    assert encoded[2 * low : 2 * high].decode("utf-16-le") == grown
