"""Says what is wrong with a value of a submission: the cause, the number, the way out."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.core import units
from workloads.explain.facts import Facts
from workloads.specs import Problem

_TEXTS: Mapping[str, Promise] = {
    "required": gettext_lazy("Enter a value."),
    "shape": gettext_lazy("This value is of the wrong type."),
    "unknown_field": gettext_lazy("There is no field of this name."),
    "name_long": gettext_lazy("Has %(length)s characters; %(limit)s are possible."),
    "name_form": gettext_lazy("Use small letters a–z, digits and hyphens; begin and end with a letter or digit."),
    "unknown_kind": gettext_lazy("There is no such kind of workload."),
    "priority_denied": gettext_lazy("The tenant does not allow this priority, but: %(name)s."),
    "above_runtime": gettext_lazy("The tenant allows at most %(limit)s."),
    "queue_full": gettext_lazy(
        "%(count)s workloads of the tenant wait; it lets %(limit)s wait. Submit this one once another has started."
    ),
    "unknown_priority": gettext_lazy("There is no such priority."),
    "unknown_template": gettext_lazy("There is no such template. Choose one of those shown."),
    "unknown_version": gettext_lazy("The template has no such version."),
    "image_long": gettext_lazy("Has %(length)s characters; %(limit)s are possible."),
    "image_space": gettext_lazy("An image's name has no spaces."),
    "image_uppercase": gettext_lazy("A repository's name has no capital letters. Only a tag may have them."),
    "image_form": gettext_lazy("Is not an image's name. Examples: python:3.12, registry.example/team/train:1"),
    "command_empty": gettext_lazy("The first word is empty; it must name a program."),
    "script_empty": gettext_lazy("The script is empty."),
    "too_many": gettext_lazy("Has %(count)s entries; %(limit)s are possible."),
    "env_name": gettext_lazy(
        "“%(name)s” cannot name a variable: use letters, digits and _, and do not begin with a digit."
    ),
    "env_denied": gettext_lazy("%(name)s is set by the platform and cannot be chosen. Remove it."),
    "nul": gettext_lazy("Contains a NUL character, which no program can be given."),
    "not_text": gettext_lazy("Contains a character that is not valid text (half of a surrogate pair)."),
    "bytes": gettext_lazy("Is %(size)s large; %(limit)s are possible."),
    "range": gettext_lazy("Enter a number from %(least)s to %(most)s."),
    "below": gettext_lazy("Ask for at least %(limit)s."),
    "above_tenant": gettext_lazy("Asks %(asked)s; the tenant may have %(limit)s in all."),
    "above_pod": gettext_lazy("Asks %(asked)s; one pod may have %(limit)s."),
    "unknown_resource": gettext_lazy("There is no resource type “%(name)s”."),
    "unknown_model": gettext_lazy("There is no class of GPUs “%(name)s”."),
    "model_twice": gettext_lazy("Name each class of GPUs once."),
    "models_without_gpus": gettext_lazy("Ask for a GPU at least, or choose no model."),
    "not_in_steps": gettext_lazy("Enter a multiple of %(step)s MiB, the size of a page."),
    "above_nodes": gettext_lazy("Asks %(asked)s; the largest node has %(limit)s."),
}
_AMOUNTS = frozenset({"below", "above_tenant", "above_pod", "above_nodes"})
_NAMES = ("length", "limit", "count", "name", "size", "least", "most", "asked", "step")


def problem_text(problem: Problem) -> str:
    """Return the sentence that stands at the field."""
    text = _TEXTS.get(problem.code)
    return str(text) % _values(problem) if text is not None else _("This value is not acceptable.")


def problem_texts(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Return the sentences by field, each once, in the order of the problems."""
    texts: dict[str, list[str]] = {}
    for problem in problems:
        at_field = texts.setdefault(problem.field, [])
        if (text := problem_text(problem)) not in at_field:
            at_field.append(text)
    return texts


def _values(problem: Problem) -> dict[str, Any]:
    facts = Facts({"resource": problem.field, **problem.params})
    values: dict[str, Any] = {name: _plain(facts, name) for name in _NAMES}
    if problem.code in _AMOUNTS:
        values |= {name: facts.amount(name) for name in ("asked", "limit")}
    elif problem.code == "bytes":
        values |= {name: units.bytes_text(facts.number(name) or 0) for name in ("size", "limit")}
    elif problem.code == "above_runtime":
        values["limit"] = units.duration_text(facts.number("limit") or 0)
    return values


def _plain(facts: Facts, name: str) -> str:
    number = facts.number(name)
    return facts.text(name) or "?" if number is None else str(number)
