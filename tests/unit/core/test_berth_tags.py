"""The parts of the interface carry what a reader, a screen reader and the islands need."""

import datetime as dt
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.template import Context, Template
from django.utils import timezone, translation

from portal.core import islands
from portal.core.forms import BerthRenderer

FRONTEND = Path(__file__).resolve().parents[3] / "frontend"
NOW = dt.datetime(2026, 5, 14, 12, 0, tzinfo=dt.UTC)
LINE = [7, 1_778_760_000_123, 1, "r0", "main", "\x1b[31mred\x1b[0m <b>", 0]


def render(source: str, **context: object) -> str:
    return Template("{% load berth berth_logs i18n %}" + source).render(Context(context))


class SizeForm(forms.Form):
    default_renderer = BerthRenderer
    cores = forms.IntegerField(label="Cores", help_text="of 16 left", max_value=16)
    kind = forms.ChoiceField(label="Kind", choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect, required=False)
    again = forms.BooleanField(label="Again", required=False)


@pytest.mark.parametrize(
    "state", ["queued", "starting", "running", "stopping", "succeeded", "failed", "cancelled", "suspended"]
)
def test_a_state_has_an_icon_and_a_word(state: str) -> None:
    drawn = render("{% state_chip state %}", state=state)
    assert f"chip-{state}" in drawn
    assert "icons.svg#" in drawn
    assert state.capitalize() in drawn


def test_a_state_that_is_not_known_says_so() -> None:
    assert "Unknown" in render("{% state_chip 'melted' %}")


def test_a_relative_time_keeps_its_absolute_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    with timezone.override(dt.UTC):
        drawn = render("{% reltime then %}", then=NOW - dt.timedelta(minutes=18))
    assert drawn == (
        '<time datetime="2026-05-14T11:42:00+00:00" title="2026-05-14 11:42:00 UTC" data-rel="ago">18 min ago</time>'
    )
    assert render("{% reltime then %}", then=None) == ""


def test_a_field_points_at_its_hint_and_at_its_error() -> None:
    drawn = render("{% field form.cores unit='cores' %}", form=SizeForm({"cores": "99"}))
    control = re.search(r"<input[^>]*>", drawn)
    assert control
    assert 'aria-invalid="true"' in control[0]
    assert "form-control is-invalid" in control[0]
    described = re.search(r'aria-describedby="([^"]*)"', control[0])
    assert described
    assert all(f'id="{name}"' in drawn for name in described[1].split())
    assert "required" in drawn
    assert "cores</span>" in drawn


def test_a_whole_form_is_drawn_with_the_same_fields() -> None:
    drawn = str(SizeForm())
    assert "of 16 left" in drawn
    assert drawn.count('type="radio"') == 2
    assert drawn.count("<label") == 1 + 2 + 1
    assert "is-invalid" not in drawn


def test_an_unknown_amount_is_a_question_mark_not_a_zero() -> None:
    assert render("{{ a|memory }} {{ a|cpu }} {{ a|duration }} {{ a|size }}", a=None) == "? ? ? ?"


def test_a_pager_links_only_to_pages_that_exist() -> None:
    drawn = render("{% pager next_url='?after=x' text='1–25 of 80' %}")
    assert 'rel="next"' in drawn
    assert 'rel="prev"' not in drawn


def test_log_text_is_escaped_and_keeps_its_colour() -> None:
    drawn = render("{% log_lines lines %}", lines=[LINE])
    assert '<span class="a-f1">red</span> &lt;b&gt;' in drawn
    assert 'id="L7"' in drawn
    assert 'data-time="1778760000123"' in drawn


def test_a_change_of_attempt_is_marked_between_its_lines() -> None:
    drawn = render("{% log_lines lines %}", lines=[LINE, [8, LINE[1], 2, "r0", "main", "again", 0]])
    assert drawn.index('id="L7"') < drawn.index("Attempt 2") < drawn.index('id="L8"')


def test_a_gap_marker_is_told_in_the_readers_zone_and_handed_over_as_it_is_kept() -> None:
    stored = '{"code":"rotated","from":1778760000123,"to":1778760060456}'
    with timezone.override(ZoneInfo("Europe/Berlin")):
        drawn = render("{% log_lines lines %}", lines=[[8, LINE[1], 1, "r0", "main", stored, 1]])
    assert "Lines between 14:00:00.123 and 14:01:00.456 may be missing" in drawn
    assert 'data-gap="{&quot;code&quot;:&quot;rotated&quot;' in drawn


@pytest.mark.parametrize("stored", ['{"code":"later"}', "an older sentence", ""])
def test_a_gap_marker_that_is_not_understood_still_says_that_lines_are_missing(stored: str) -> None:
    assert "Lines are missing here." in render(
        "{% log_lines lines %}", lines=[[8, LINE[1], 1, "r0", "main", stored, 1]]
    )


@pytest.mark.parametrize("name", ["base", "logs"])
def test_every_text_that_counts_has_both_its_forms(name: str) -> None:
    with translation.override("en"):
        texts = islands.texts(name)
    counted = {key.rsplit("_", 1)[0] for key in texts if key.endswith(("_one", "_other"))}
    assert all(f"{key}_one" in texts and f"{key}_other" in texts for key in counted)


def test_texts_are_handed_over_as_a_data_block_that_runs_nothing() -> None:
    drawn = render("{% island_texts 'logs' %}")
    assert drawn.startswith('<script id="texts-logs" type="application/json">')
    assert "<script" not in drawn[10:]


def test_the_islands_ask_for_no_text_that_the_page_does_not_hand_over() -> None:
    source = "".join(path.read_text() for path in FRONTEND.glob("*.ts"))
    asked = set(re.findall(r'texts\("(\w+)"', source))
    asked |= {f"{key}_{form}" for key in re.findall(r'counted\([\w.]+, "(\w+)"', source) for form in ("one", "other")}
    assert len(asked) > 15
    assert asked <= islands.BASE.keys() | islands.LOGS.keys()
