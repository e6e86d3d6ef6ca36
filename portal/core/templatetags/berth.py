"""The interface's parts as template tags. templates/components/README.md shows how each is used.

Tags only format what they are given: they read no table.
"""

from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString
from django.utils.translation import pgettext_lazy

from portal.core import islands, units

register = template.Library()
Text = str | Promise

STATE_CHIPS: dict[str, tuple[Text, str]] = {
    "queued": (pgettext_lazy("state", "Queued"), "clock"),
    "starting": (pgettext_lazy("state", "Starting"), "loader-2"),
    "running": (pgettext_lazy("state", "Running"), "player-play-f"),
    "stopping": (pgettext_lazy("state", "Stopping"), "player-stop-f"),
    "succeeded": (pgettext_lazy("state", "Succeeded"), "circle-check-f"),
    "failed": (pgettext_lazy("state", "Failed"), "alert-octagon-f"),
    "cancelled": (pgettext_lazy("state", "Cancelled"), "ban"),
    "suspended": (pgettext_lazy("state", "Suspended"), "player-pause-f"),
}
UNKNOWN_CHIP: tuple[Text, str] = (pgettext_lazy("state", "Unknown"), "help-circle")
NOTICE_ICONS = {"": "info-circle", "ok": "circle-check-f", "warn": "alert-triangle", "bad": "alert-octagon"}
MESSAGE_TONES = {"success": "ok", "warning": "warn", "error": "bad"}


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """Draw an icon of static/icons.svg; it is decoration, so the words beside it must say the same."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {extra}" if extra else "",
        static("icons.svg"),
        name,
    )


@register.simple_tag
def state_chip(state: str, size: str = "", still: bool = False) -> SafeString:
    """Draw a workload's state as an icon and a word; size "lg" for page titles, `still` where it is long past."""
    label, name = STATE_CHIPS.get(state, UNKNOWN_CHIP)
    return format_html(
        '<span class="chip chip-{}{}">{}{}</span>',
        state if state in STATE_CHIPS else "unknown",
        f" chip-{size}" if size else "",
        icon(name, "spin" if state == "starting" and not still else ""),
        label,
    )


@register.simple_tag
def reltime(moment: datetime | None, style: str = "ago") -> SafeString:
    """Show a moment as relative text with the absolute time as its title; style "age" leaves out "ago"."""
    if moment is None:
        return SafeString("")
    age_s = (timezone.now() - moment).total_seconds()
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}" data-rel="{}">{}</time>',
        moment.isoformat(),
        f"{date_format(local, 'Y-m-d H:i:s')} {local.tzname() or ''}".strip(),
        style,
        units.duration_text(age_s) if style == "age" else units.relative_text(age_s),
    )


@register.filter
def memory(memory_mib: int | None) -> str:
    """Format MiB: "2 GiB"; unknown is "?"."""
    return "?" if memory_mib is None else units.memory_text(memory_mib)


@register.filter
def cpu(cpu_millicores: int | None) -> str:
    """Format thousandths of a core: "0.5 cores"; unknown is "?"."""
    return "?" if cpu_millicores is None else units.cpu_text(cpu_millicores)


@register.filter
def duration(seconds: float | None) -> str:
    """Format a span in seconds: "2 h 14 min"; unknown is "?"."""
    return "?" if seconds is None else units.duration_text(seconds)


@register.filter
def size(size_bytes: int | None) -> str:
    """Format bytes: "4.2 KiB"; unknown is "?"."""
    return "?" if size_bytes is None else units.bytes_text(size_bytes)


@register.filter
def grouped(number: int) -> str:
    """Format a whole number with its thousands set apart, as the log viewer does: "12,408"."""
    return f"{number:,}"


@register.simple_tag
def field(bound: BoundField, unit: Text = "", mono: bool = False, say_required: bool = True) -> SafeString:
    """Render a form's field with label, hint and error; `unit` is shown after the control, `mono` sets its type."""
    if mono:
        widget_attrs = bound.field.widget.attrs
        widget_attrs["class"] = f"{widget_attrs.get('class', '')} mono".strip()
    return render_to_string("django/forms/field.html", {"field": bound, "unit": unit, "say_required": say_required})


@register.inclusion_tag("components/nav_item.html", takes_context=True)
def nav_item(context: dict[str, Any], view: str, icon_name: str, label: Text, covers: str = "") -> dict[str, Any]:
    """Draw an entry of the sidebar; it is the current one on its own view and on those in `covers`."""
    match = getattr(context.get("request"), "resolver_match", None)
    current = getattr(match, "view_name", "")
    try:
        url = reverse(view)
    except NoReverseMatch:  # an error page of a broken URL table must still render
        url = ""
    return {"url": url, "icon_name": icon_name, "label": label, "active": current in {view, *covers.split()}}


@register.inclusion_tag("components/notice.html")
def notice(text: Text, tone: str = "", title: Text = "") -> dict[str, Any]:
    """Draw a notice; tone "", "ok", "warn" or "bad"."""
    return {"text": text, "tone": tone, "title": title, "icon_name": NOTICE_ICONS.get(tone, "info-circle")}


@register.filter
def message_tone(tags: str) -> str:
    """Return the tone of a Django message's level tag."""
    return next((MESSAGE_TONES[tag] for tag in tags.split() if tag in MESSAGE_TONES), "")


@register.inclusion_tag("components/pager.html")
def pager(previous_url: str = "", next_url: str = "", text: Text = "") -> dict[str, Any]:
    """Draw the foot of a keyset-paged list: what is shown, and links to the pages before and after where they exist."""
    return {"previous_url": previous_url, "next_url": next_url, "text": text}


@register.simple_block_tag(end_name="endcard")
def card(content: str, title: Text = "", note: Text = "", body: bool = True) -> SafeString:
    """Draw a card round its content; body=False where the content brings its own edges (tables, lists)."""
    parts = {"content": content, "title": title, "note": note, "body": body}
    return render_to_string("components/card.html", parts)


@register.simple_block_tag(end_name="endempty")
def empty(content: str, title: Text, text: Text = "", icon_name: str = "box") -> SafeString:
    """Draw an empty state: what is missing, why, and its content as the one action."""
    parts = {"content": content, "title": title, "text": text, "icon_name": icon_name}
    return render_to_string("components/empty.html", parts)


@register.simple_tag
def island_texts(name: str) -> SafeString:
    """Hand an island (frontend/*.ts) its translated texts as a JSON block, which CSP lets pass."""
    return json_script(islands.texts(name), f"texts-{name}")


@register.simple_tag(takes_context=True)
def theme(context: dict[str, Any]) -> str:
    """Return the reader's theme for data-bs-theme: "auto", "light" or "dark"."""
    chosen = str(getattr(context.get("user"), "theme", "auto"))
    return chosen if chosen in {"auto", "light", "dark"} else "auto"


@register.filter
def initials(name: str) -> str:
    """Return the first two letters of a name."""
    return name[:2].lower()
