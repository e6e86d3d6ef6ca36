"""Each language that is offered has every text, whole and in the form in which it is used."""

import re
from collections import Counter

import polib
import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import translation
from django.utils.translation import get_language_info

from portal.core.catalogue import texts_in_use
from portal.core.management.commands.messages import LANGUAGES, merged, po_path

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|\{\w+\}|%%")
MARKUP = re.compile(r"</?[a-z][^>]*>")
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?!](?! $)|[,;:][\u4e00-\u9fff]")
each_language = pytest.mark.parametrize("language", LANGUAGES)


def pairs(language: str) -> list[tuple[str, str]]:
    """Return each text with its translation; a plural's forms with the plural."""
    found: list[tuple[str, str]] = []
    for entry in polib.pofile(str(po_path(language))):
        forms = entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]
        found += [(entry.msgid_plural or entry.msgid, form) for form in forms]
    return found


def test_the_catalogues_and_their_compiled_files_are_current() -> None:
    call_command("messages", check=True)


def test_every_language_that_is_offered_has_a_catalogue() -> None:
    offered = {translation.to_locale(code) for code, _name in settings.LANGUAGES} - {"en"}
    assert offered == set(LANGUAGES)
    assert get_language_info("zh-hans")["name_local"] == "简体中文"


@each_language
def test_every_text_has_a_translation_and_none_is_fuzzy(language: str) -> None:
    catalogue = merged(language, texts_in_use(settings.BASE_DIR))
    assert [entry.msgid for entry in catalogue.untranslated_entries()] == []
    assert [entry.msgid for entry in catalogue if entry.fuzzy] == []


@each_language
def test_translations_keep_placeholders_and_markup(language: str) -> None:
    wrong = [
        (text, translated)
        for text, translated in pairs(language)
        for pattern in (PLACEHOLDER, MARKUP)
        if Counter(pattern.findall(text)) != Counter(pattern.findall(translated))
    ]
    assert wrong == []


def test_chinese_texts_use_chinese_punctuation() -> None:
    assert [translated for _text, translated in pairs("zh_Hans") if HALF_WIDTH.search(translated)] == []


def test_a_compiled_text_is_spoken() -> None:
    with translation.override("zh-hans"):
        assert translation.pgettext("state", "Running") == "运行中"
