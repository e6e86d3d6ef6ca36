"""Keeps the catalogues in step with the code: new texts in, unused ones out, compiled files written. For developers.

Needs polib, which is in requirements-dev only. Nothing is guessed: a text that changed waits for a translation again.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import polib
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.core.catalogue import Text, texts_in_use

LANGUAGES = {"zh_Hans": "nplurals=1; plural=0;"}
WRAP_AT = 118


class Command(BaseCommand):
    help = "Bring locale/*/LC_MESSAGES/django.po and .mo in step with the code; --check only tells."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")

    def handle(self, *args: Any, **options: Any) -> None:
        used = texts_in_use(settings.BASE_DIR)
        stale = []
        for language in LANGUAGES:
            catalogue = merged(language, used)
            waiting = len(catalogue.untranslated_entries())
            self.stdout.write(f"{language}: {len(catalogue)} texts, {waiting} without translation")
            for path, content in files_of(language, catalogue).items():
                if not path.exists() or path.read_bytes() != content:
                    stale.append(str(path.relative_to(settings.BASE_DIR)))
                    if not options["check"]:
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(content)
        if options["check"] and stale:
            raise CommandError(f"Out of date, run `just messages`: {', '.join(stale)}")


def po_path(language: str) -> Path:
    """Return where a language's catalogue lies."""
    path: Path = settings.BASE_DIR / "locale" / language / "LC_MESSAGES" / "django.po"
    return path


def merged(language: str, used: dict[Text, list[str]]) -> polib.POFile:
    """Return the language's catalogue with exactly the texts in use, each with the translation that it had."""
    path = po_path(language)
    old = {_key(entry): entry for entry in polib.pofile(str(path))} if path.exists() else {}
    catalogue = polib.POFile(wrapwidth=WRAP_AT)
    catalogue.metadata = {
        "Language": language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": LANGUAGES[language],
    }
    for text, places in used.items():
        catalogue.append(_entry(text, places, old.get(text)))
    return catalogue


def files_of(language: str, catalogue: polib.POFile) -> dict[Path, bytes]:
    """Return the content of the language's two files. The same catalogue always gives the same bytes."""
    path = po_path(language)
    return {path: f"{catalogue}\n".encode(), path.with_suffix(".mo"): catalogue.to_binary()}


def _entry(text: Text, places: list[str], old: polib.POEntry | None) -> polib.POEntry:
    entry = polib.POEntry(msgid=text.singular, msgctxt=text.context or None)
    entry.occurrences = [(place, "") for place in places]
    entry.flags = ["python-format"] if "%(" in text.singular else []
    if text.plural:
        entry.msgid_plural = text.plural
        entry.msgstr_plural = old.msgstr_plural if old else {0: ""}
    else:
        entry.msgstr = old.msgstr if old else ""
    if old:
        entry.flags += [flag for flag in old.flags if flag == "fuzzy"]
        entry.tcomment = old.tcomment
    return entry


def _key(entry: polib.POEntry) -> Text:
    return Text(entry.msgid, entry.msgid_plural or "", entry.msgctxt or "")
