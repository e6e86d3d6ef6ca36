"""Draws log lines on the server with the markup that frontend/logrow.ts makes, so the viewer can take them over."""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from portal.core import loggaps, logtext
from portal.core.templatetags.berth import icon

register = template.Library()
KIND_GAP, KIND_SPLIT, KIND_NOTE = 1, 2, 3
WireLine = Sequence[Any]  # [seq, time_ms, attempt, pod, container, text, kind], as on the wire


@register.simple_tag
def log_lines(lines: Iterable[WireLine]) -> SafeString:
    """Draw wire lines in order; a change of attempt gets a mark of its own."""
    drawn: list[SafeString] = []
    attempt_before: int | None = None
    for line in lines:
        attempt = int(line[2])
        if attempt_before not in {None, attempt}:
            drawn.append(_mark("refresh", _("Attempt %(n)d") % {"n": attempt}))
        drawn.append(_line(line))
        attempt_before = attempt
    return mark_safe("".join(drawn))  # noqa: S308 each part was made by format_html


def _line(line: WireLine) -> SafeString:
    seq, time_ms, _attempt, pod, _container, text, kind = line
    if kind == KIND_GAP:
        row = '<div class="gap" role="note" id="L{}"{} data-gap="{}">{}<span>{}</span></div>'
        return format_html(row, seq, _facts(line), text, icon("unlink"), loggaps.gap_text(text, _stamp))
    if kind == KIND_NOTE:
        row = '<div class="mark-line" role="note" id="L{}"{}>{}<span>{}</span></div>'
        return format_html(row, seq, _facts(line), icon("refresh"), text)
    level = logtext.level_of(logtext.plain_of(text))
    classes = " ".join(name for name in ("ln", level, "split" if kind == KIND_SPLIT else "") if name)
    return format_html(
        '<div class="{}" id="L{}"{}><a href="#L{}">{}</a><time>{}</time><b class="{}">{}</b><span>{}</span></div>',
        classes,
        seq,
        _facts(line),
        seq,
        seq,
        _stamp(time_ms),
        _rank_class(str(pod)),
        pod,
        _content(text),
    )


def _stamp(time_ms: int) -> str:
    moment = timezone.localtime(dt.datetime.fromtimestamp(time_ms / 1000, tz=dt.UTC))
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def _facts(line: WireLine) -> SafeString:
    return format_html(' data-time="{}" data-attempt="{}"', line[1], line[2])


def _mark(icon_name: str, text: str) -> SafeString:
    return format_html('<div class="mark-line" role="note">{}{}</div>', icon(icon_name), text)


def _rank_class(pod: str) -> str:
    digits = re.search(r"\d+", pod)
    return f"k{int(digits[0]) % 8 if digits else 0}"


def _content(text: str) -> SafeString:
    return format_html_join("", "{}", ((_run(segment),) for segment in logtext.segments_of(text)))


def _run(segment: logtext.Segment) -> str | SafeString:
    classes = f"{segment.classes} ctl".strip() if segment.control else segment.classes
    return format_html('<span class="{}">{}</span>', classes, segment.text) if classes else segment.text
