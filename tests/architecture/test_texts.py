"""What people read goes through gettext, in Python, templates and scripts. Shows also how to find out what does not."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from portal.core.catalogue import Text, python_texts, template_texts, texts_in_use

ROOT = Path(__file__).parents[2]

# Parts of a template that are no text: comments, translated blocks and variables; then every other tag.
TRANSLATED = re.compile(
    r"\{#.*?#\}|\{% *comment.*?endcomment *%\}|\{% *blocktrans(?:late)?\b.*?endblocktrans(?:late)? *%\}", re.DOTALL
)
TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
OUR_TAG = re.compile(r"\{% *(?:card|empty|notice|pager|field|nav_item)\b.*?%\}", re.DOTALL)
BARE_LITERAL = re.compile(r"(?:title|text|note|unit|label)=[\"']\w")
READ_ALOUD = {"title", "aria-label", "placeholder", "alt", "data-confirm", "data-confirm-title", "data-confirm-yes"}
UNREAD = {"script", "style", "code", "kbd"}
# Names, units and codes that are the same in every language.
SAME_EVERYWHERE = {
    "Berth",
    "YAML",
    "CSV",
    "Ctrl",
    "K",
    "Esc",
    "Enter",
    "CPU",
    "GPU",
    "API",
    "REST",
    "JSON",
    "UTC",
    "uid",
}
SAME_EVERYWHERE |= {"Shift", "N", "n", "x", "job"}  # keys, and the kind in front of an object's name
WORD = re.compile(r"[A-Za-z]+")


class Words(HTMLParser):
    """Collects what a person would read of a template without going through gettext."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in UNREAD
        for name, value in attrs:
            if name in READ_ALOUD:
                self._note(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in UNREAD

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._note(data)

    def _note(self, text: str) -> None:
        if not set(WORD.findall(text)) <= SAME_EVERYWHERE:
            self.found.append(" ".join(text.split()))


def untranslated(source: str) -> list[str]:
    """Return the words of a template that do not go through gettext."""
    literals = [tag for tag in OUR_TAG.findall(source) if BARE_LITERAL.search(tag)]
    words = Words()
    words.feed(TAG.sub("", TRANSLATED.sub("", source)))
    return words.found + literals


def test_templates_hold_no_words_outside_gettext() -> None:
    found = {
        str(path.relative_to(ROOT)): words
        for path in sorted((ROOT / "templates").rglob("*.*"))
        if path.suffix in {".html", ".txt"} and (words := untranslated(path.read_text()))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "<p>Plain words</p>",
        '<a title="Plain words"></a>',
        '{% notice text="Plain words" %}',
        "{% if a %}Plain words{% endif %}",
    ],
)
def test_plain_words_in_a_template_are_found(source: str) -> None:
    assert untranslated(source)


@pytest.mark.parametrize(
    "source",
    [
        '<p>{% translate "Words" %} {{ value }} · 3</p>',
        '<a class="btn"{% if a %} aria-current="page"{% endif %}>{% blocktranslate %}Words{% endblocktranslate %}</a>',
        '{% notice _("Words") tone="bad" %}{# a comment #}',
    ],
)
def test_translated_words_in_a_template_pass(source: str) -> None:
    assert untranslated(source) == []


SPOKEN = re.compile(
    r"(?:textContent|innerText|title|placeholder|ariaLabel)\s*=\s*[\"'`][^\"'`$]*[A-Za-z]{2}"
    r"|[\"'](?:aria-label|title|placeholder)[\"']\s*,\s*[\"'`][^\"'`$]*[A-Za-z]{2}"
    r"|[\"'`][A-Z][a-z]+ [a-z]+[^\"'`]*[\"'`]"
)
FOR_DEVELOPERS = re.compile(r"\b(?:new \w*Error|console\.\w+)\(.*|^\s*//.*|import .*", re.MULTILINE)


def test_scripts_hold_no_words() -> None:
    found = {
        path.name: said
        for path in sorted((ROOT / "frontend").glob("*.ts"))
        if (said := SPOKEN.findall(FOR_DEVELOPERS.sub("", path.read_text())))
    }
    assert found == {}


def test_texts_are_found_in_python_and_in_templates() -> None:
    python = "from django.utils.translation import gettext as _, ngettext\n_('a' 'b')\nngettext('one', 'many', n)\n"
    template = "{% load i18n %}{% translate 'x' %}{{ v|default:_('y') }}"
    template += "{% blocktranslate count n=n %}1{% plural %}n{% endblocktranslate %}"
    assert list(python_texts(python)) == [Text("ab"), Text("one", "many")]
    assert list(template_texts(template)) == [Text("x"), Text("y"), Text("1", "n")]


def test_a_text_that_is_no_literal_is_refused() -> None:
    with pytest.raises(ValueError, match="literal"):
        list(python_texts("from django.utils.translation import gettext\ngettext(name)\n"))


def test_each_text_has_one_plural_at_most() -> None:
    used = list(texts_in_use(ROOT))
    assert len({(text.singular, text.context) for text in used}) == len(used)
