"""Bytes to text: encodings, files that are no text at all, characters that cannot be stored."""

from __future__ import annotations

import codecs
import re

from annotator.formats.records import FormatError

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark starts like UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_BINARY_STARTS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive or an Office document"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "an SQLite database"),
)
# Databases refuse NUL, and the others are signs of a wrong encoding; U+0085 is a line break.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_UNSTORABLE = re.compile(f"{_CONTROL.pattern}|[\ud800-\udfff]")
_LINE_BREAK = re.compile("\r\n|\n|\r")


def decode(data: bytes) -> tuple[str, list[str]]:
    """The text of a file, without its byte order mark, and notes on what was recognised.

    Raises `FormatError` where the bytes are no text, not UTF-8, or hold control characters.
    """
    _refuse_binary(data)
    encoding, notes = "utf-8", []
    for mark, codec, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            encoding, notes = codec, [f"read as {name}"]
            break
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(data, error, encoding) from error
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise _control_character(control[0], line, "Remove it and import the file again.")
    return text, notes


def _refuse_binary(data: bytes) -> None:
    for start, name in _BINARY_STARTS:
        if data.startswith(start):
            raise FormatError(
                f"this is {name}, not a text file",
                remedy="Save its content as text, CSV, JSONL, Label Studio JSON or CoNLL.",
            )


def _undecodable(data: bytes, error: UnicodeDecodeError, encoding: str) -> FormatError:
    if encoding not in ("utf-8", "utf-8-sig"):
        return FormatError(
            f"not valid {encoding.upper()} at byte {error.start + 1}",
            remedy="Save the file as UTF-8.",
        )
    # "utf-8-sig" counts from after the mark.
    at = error.start + (len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0)
    if b"\0" in data[:4096]:
        return FormatError(
            "this is a binary file, not text",
            remedy="Choose a text, CSV, JSONL, Label Studio JSON or CoNLL file.",
        )
    line_start = data.rfind(b"\n", 0, at) + 1
    return FormatError(
        f"not UTF-8 at byte {at - line_start + 1} of the line",
        line=data.count(b"\n", 0, at) + 1,
        remedy="Save the file as UTF-8.",
    )


def _control_character(character: str, line: int, remedy: str) -> FormatError:
    if character == "\0":
        remedy = "Is it a binary file, or UTF-16 without a byte order mark? Save it as UTF-8 text."
    return FormatError(
        f"control character U+{ord(character):04X}, which cannot be stored",
        line=line,
        remedy=remedy,
    )


def check_characters(value: str) -> None:
    """Refuses what JSON escapes can smuggle past `decode`: control characters, lone surrogates."""
    found = _UNSTORABLE.search(value)
    if found:
        code = ord(found[0])
        what = "half of a surrogate pair" if code >= 0xD800 else "control character"
        raise FormatError(f"{what} U+{code:04X}, which cannot be stored", remedy="Remove it.")


def lines(text: str) -> list[str]:
    """Lines without their ends: LF, CRLF or CR, and never U+2028 or U+0085, which are text."""
    return _LINE_BREAK.split(text)
