"""Which texts the product shows: found in Python and templates without running either. Knows no catalogue file.

Islands (frontend/*.ts) hold no texts: theirs are in `portal.core.islands`, so they are found here too.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation.template import templatize

PACKAGES = ("portal", "tenants", "gpu", "workloads", "quotarequests")
TEMPLATES = "templates"
_MODULES = {"django.utils.translation"}
# What the arguments of each function are: context, singular, plural.
_SHAPES = {
    "gettext": "s",
    "ngettext": "sp",
    "pgettext": "cs",
    "npgettext": "csp",
}
_LITERAL = r"u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_TEMPLATE_CALL = re.compile(rf"(?<!\w)(n?p?gettext|_)\(\s*({_LITERAL}(?:\s*,\s*{_LITERAL})*)", re.DOTALL)
_ONE_LITERAL = re.compile(_LITERAL, re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class Text:
    """One text as the code names it; `plural` and `context` may be empty."""

    singular: str
    plural: str = ""
    context: str = ""


def texts_in_use(root: Path) -> dict[Text, list[str]]:
    """Return each text and the files, relative to `root`, that show it, in the order of the tree."""
    found: dict[Text, list[str]] = {}
    for path, text in _all(root):
        places = found.setdefault(text, [])
        if path not in places:
            places.append(path)
    return found


def python_texts(source: str) -> Iterator[Text]:
    """Yield the texts of a Python file. Raises ValueError for a call whose text is no literal."""
    tree = ast.parse(source)
    names = _names_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            shape = _SHAPES[names[node.func.id]]
            yield _text(shape, [_literal(argument) for argument in node.args[: len(shape)]])


def template_texts(source: str) -> Iterator[Text]:
    """Yield the texts of a Django template."""
    for call in _TEMPLATE_CALL.finditer(templatize(source)):
        shape = _SHAPES["gettext" if call[1] == "_" else call[1]]
        yield _text(shape, [str(ast.literal_eval(part.lstrip("u"))) for part in _ONE_LITERAL.findall(call[2])])


def _all(root: Path) -> Iterator[tuple[str, Text]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from ((str(path.relative_to(root)), text) for text in python_texts(path.read_text()))
    for path in sorted((root / TEMPLATES).rglob("*.*")):
        if path.suffix in {".html", ".txt"}:
            yield from ((str(path.relative_to(root)), text) for text in template_texts(path.read_text()))


def _names_of(tree: ast.Module) -> dict[str, str]:
    """Return what a module calls the functions of gettext."""
    return {
        alias.asname or alias.name: function
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in _MODULES
        for alias in node.names
        if (function := alias.name.removesuffix("_lazy").removesuffix("_noop")) in _SHAPES
    }


def _literal(argument: ast.expr) -> str:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    raise ValueError(f"line {argument.lineno}: a text for gettext must be a literal")


def _text(shape: str, parts: list[str]) -> Text:
    named = dict(zip(shape, parts, strict=True))
    return Text(named["s"], named.get("p", ""), named.get("c", ""))
