"""Titles and summaries of the shipped templates, for gettext to find: the YAML files keep them in English.

A test holds both together. What tenants write into templates of their own is never translated.
"""

from django.utils import translation
from django.utils.translation import gettext_noop as _

TEXTS = (
    _("Python script"),
    _("A script of your own, run by python3. Shows its progress for twenty seconds."),
    _("Shell command"),
    _("A few lines of shell in a small image. The quickest way to look around inside."),
    _("Training loop"),
    _("Fits a small network with numpy, prints the loss of each step for about a minute and writes checkpoints."),
    _("Several steps with progress"),
    _("Makes data, cleans it, fits a curve and tests it; each step shows how far it is. Takes under a minute."),
    _("Parameter sweep"),
    _("Tries twelve settings of a small network, ten seconds each, and ends with a table of how they did."),
    _("Prints fast"),
    _("Writes fifty thousand lines as fast as it can, to see that the log keeps up and stays complete."),
    _("Fails on purpose"),
    _("Ends with exit code 3 after a clear message, to see how a failure is explained."),
    _("Uses too much memory"),
    _("Takes more and more memory until it is ended for that, to see how it is explained."),
)
_SHIPPED = frozenset(TEXTS)


def shown(text: str) -> str:
    """Return a template's title or summary in the reader's language, where it is one of ours."""
    return translation.gettext(text) if text in _SHIPPED else text
