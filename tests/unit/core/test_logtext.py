"""Hostile log text becomes text that can be shown; the browser's twin reads the same cases."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import logtext

CASES = json.loads((Path(__file__).parent / "logtext_cases.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_line_becomes_runs_of_text_and_classes(case: dict[str, object]) -> None:
    found = [[run.text, run.classes, run.control] for run in logtext.segments_of(str(case["text"]))]
    assert found == case["segments"]


@given(st.text())
def test_nothing_that_could_move_a_terminal_or_turn_text_round_is_left(text: str) -> None:
    shown = logtext.plain_of(text)
    assert not [char for char in shown if (ord(char) < 0x20 and char != "\t") or 0x7F <= ord(char) <= 0x9F]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize(
    ("plain", "level"),
    [
        ("2026-01-01 ERROR no space", "err"),
        ("ValueError: bad literal", "err"),
        ("Traceback (most recent call last):", "err"),
        ("WARNING: slow ring", "warn"),
        ("no errors, 0 warnings", ""),
    ],
)
def test_the_level_is_guessed_from_the_words(plain: str, level: str) -> None:
    assert logtext.level_of(plain) == level
