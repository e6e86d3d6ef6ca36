"""Colours YAML on the server, so that a page needs no script and no foreign library for it."""

import re
from collections.abc import Iterator

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
_KEY = re.compile(r"""(?P<lead>\s*(?:-\s+)*)(?P<key>[\w./-]+|"[^"]*"|'[^']*')(?P<colon>:)(?P<value>\s.*|)""")
_ITEM = re.compile(r"(?P<lead>\s*(?:-\s+)+)(?P<value>.*)")
_PLAIN = re.compile(r"\s*(?:true|false|null|~|-?\d+(?:\.\d+)?|\{\}|\[\])\s*")
_BLOCK = re.compile(r"\s*[|>][+-]?\d?\s*")


@register.filter
def yaml_markup(text: str) -> SafeString:
    """Return YAML as our manifests are written, escaped, with keys, texts and numbers marked; its text stays the same.

    What it does not understand it leaves unmarked.
    """
    return mark_safe("\n".join(_marked(text.split("\n"))))  # noqa: S308 each line was made by format_html


def _marked(lines: list[str]) -> Iterator[str]:
    inside: int | None = None  # how far the key of an open block of text is indented
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if inside is not None and (not line.strip() or indent > inside):
            yield format_html('<span class="y-s">{}</span>', line) if line else ""
            continue
        inside = None
        found = _KEY.fullmatch(line) or _ITEM.fullmatch(line)
        if found and _BLOCK.fullmatch(found["value"]):
            inside = indent
        yield _line(line, found)


def _line(line: str, found: re.Match[str] | None) -> str:
    if found is None:
        return format_html('<span class="y-d">{}</span>' if line == "---" else "{}", line)
    value = _value(found["value"])
    if "key" not in found.groupdict():
        return format_html("{}{}", found["lead"], value)
    return format_html('{}<span class="y-k">{}</span>{}{}', found["lead"], found["key"], found["colon"], value)


def _value(text: str) -> str:
    if not text.strip():
        return text
    look = "y-n" if _PLAIN.fullmatch(text) else "y-d" if _BLOCK.fullmatch(text) else "y-s"
    body = text.lstrip(" ")
    return format_html('{}<span class="{}">{}</span>', text[: len(text) - len(body)], look, body)
