"""The submit form: from what a person types to a JobSpec. It parses; what a spec may hold is for `specs` to say."""

import shlex
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.core import units
from portal.core.errors import Rejected
from portal.core.fields import CpuField, DurationField, MemoryField
from tenants.choices import PRIORITY_CHOICES
from tenants.gauges import amount_text
from tenants.models import ResourceType, Tenant
from tenants.specs import Priority, Unit
from workloads import specs
from workloads.explain import problem_texts
from workloads.specs import JobSpec, Resources, extra_field

DEFAULT_CPU_MILLICORES = 1000
DEFAULT_MEMORY_MIB = 512
DEFAULT_RUNTIME_S = 3600
_AREA = {"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}


def _area(rows: int, **attrs: str) -> forms.Textarea:
    return forms.Textarea({"rows": rows, **_AREA, **attrs})


class JobForm(forms.Form):
    """What a job is to be. Field names are those of the spec, so that a service's complaint finds its field."""

    name = forms.CharField(
        label=_("Name"),
        max_length=specs.MAX_NAME,
        help_text=_("Small letters, digits, hyphens"),
        widget=forms.TextInput(_AREA),
    )
    image = forms.CharField(
        label=_("Image"), max_length=specs.MAX_IMAGE, widget=forms.TextInput({**_AREA, "placeholder": "python:3.12"})
    )
    script = forms.CharField(
        label=_("Script"),
        required=False,
        strip=False,
        widget=_area(9),
        help_text=_("Written to a file and run by the command, or by python3 where no command is given."),
    )
    command = forms.CharField(
        label=_("Command"),
        required=False,
        widget=_area(2),
        help_text=_("As in a shell: quotes keep words together. Empty runs what the image says."),
    )
    args = forms.CharField(
        label=_("Arguments"),
        required=False,
        widget=_area(1),
        help_text=_("Follow the command and the script's path."),
    )
    env = forms.CharField(
        label=_("Environment"),
        required=False,
        strip=False,
        widget=_area(4, placeholder="LEARNING_RATE=0.1"),
        help_text=_("One NAME=value a line; lines that begin with # are left out."),
    )
    cpu_millicores = CpuField(label=_("CPU cores"))
    memory_mib = MemoryField(label=_("Memory"))
    gpus = forms.IntegerField(label=_("GPUs"), min_value=0, required=False)
    max_runtime_s = DurationField(label=_("Time limit"), required=False, help_text=_("Empty: no limit"))
    retries = forms.IntegerField(
        label=_("Retries"),
        min_value=0,
        max_value=specs.MAX_RETRIES,
        required=False,
        help_text=_("How often a failed run is tried again"),
    )
    priority = forms.ChoiceField(
        label=_("Priority"),
        choices=PRIORITY_CHOICES,
        required=False,
        help_text=_("Whose turn comes first; within one, first come, first served"),
    )

    def __init__(self, *args: Any, types: Sequence[ResourceType] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.types = types
        self._extra_keys = _add_extra_fields(self, types)

    def extra_fields(self) -> list[forms.BoundField]:
        """Return the fields of resource types beyond the built-in ones."""
        return [self[extra_field(key)] for key in self._extra_keys]

    def clean_command(self) -> tuple[str, ...]:
        return _words(self.cleaned_data["command"])

    def clean_args(self) -> tuple[str, ...]:
        return _words(self.cleaned_data["args"])

    def clean_script(self) -> str | None:
        script: str = self.cleaned_data["script"].replace("\r\n", "\n")
        return script if script.strip() else None

    def clean_env(self) -> dict[str, str]:
        return _environment(self.cleaned_data["env"])

    def clean(self) -> dict[str, Any]:
        """Where something cannot be read, say also what is wrong with the rest: one round is enough to mend it all."""
        values: dict[str, Any] = super().clean() or {}
        if self.errors:
            texts = problem_texts(specs.spec_problems(_spec_of(_STAND_INS | values, self._extra_keys)))
            for name in [name for name in texts if name in values and name in self.fields]:
                self.add_error(name, [str(text) for text in texts[name]])
        return values

    def spec(self) -> JobSpec:
        """Return the spec of a form that is valid."""
        return _spec_of(self.cleaned_data, self._extra_keys)

    def offer(self, tenant: Tenant) -> None:
        """Let only be chosen what a tenant allows; of a single priority nothing is asked."""
        field, allowed = cast("forms.ChoiceField", self.fields["priority"]), tenant.priorities
        field.choices = [(value, label) for value, label in PRIORITY_CHOICES if value in allowed]
        if len(allowed) == 1:
            field.widget = forms.HiddenInput()
        if self.initial.get("priority") not in allowed:
            self.initial["priority"] = Priority.NORMAL.value if Priority.NORMAL in allowed else allowed[0]
        if (most_s := tenant.max_runtime_s) is not None:
            self.initial["max_runtime_s"] = min(self.initial.get("max_runtime_s") or most_s, most_s)
            most = {"limit": units.duration_text(most_s)}
            self.fields["max_runtime_s"].help_text = gettext("At most %(limit)s here; empty: this limit") % most

    def reject(self, rejected: Rejected) -> None:
        """Show a service's complaints at their fields; what has no field here stands on top."""
        for name, messages in rejected.fields.items():
            shown = name in self.fields and not self[name].is_hidden
            for message in messages:
                self.add_error(name if shown else None, str(message))

    @property
    def more_open(self) -> bool:
        """Whether the folded section must be open: something in it is set or wrong."""
        folded = ("args", "env", "retries")
        return any(self[name].errors or self[name].value() not in (None, "", 0, "0") for name in folded)


class SubmitForm(JobForm):
    """One submission of a job."""

    template = forms.CharField(required=False, widget=forms.HiddenInput)
    template_version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    idempotency_key = forms.UUIDField(required=False, widget=forms.HiddenInput)
    parent = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def with_new_key(self) -> "SubmitForm":
        """Return this form as it was sent, with a key that no submission has."""
        fresh = {name: self.data.get(name) for name in self.data} | {"idempotency_key": str(uuid.uuid4())}
        return SubmitForm(fresh, types=self.types)


class AskForm(forms.Form):
    """The sizes of a request, for the verdict beside the form."""

    cpu_millicores = CpuField()
    memory_mib = MemoryField()
    gpus = forms.IntegerField(min_value=0, required=False)
    priority = forms.ChoiceField(choices=PRIORITY_CHOICES, required=False)

    def priority_asked(self) -> str:
        """Return the priority of a form that is valid; the usual one where none is said."""
        return self.cleaned_data["priority"] or Priority.NORMAL.value

    def __init__(self, *args: Any, types: Sequence[ResourceType] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._extra_keys = _add_extra_fields(self, types)

    def resources(self) -> Resources:
        """Return the sizes of a form that is valid."""
        return _resources_of(self.cleaned_data, self._extra_keys)


def initial_of(spec: Mapping[str, Any], *, parent: uuid.UUID | None = None) -> dict[str, Any]:
    """Return the form's first values: a spec, with defaults for what it leaves out, and a fresh key."""
    resources = spec.get("resources") or {}
    return {
        "template": spec.get("template", ""),
        "template_version": spec.get("template_version"),
        "idempotency_key": uuid.uuid4(),
        "parent": parent,
        "name": spec.get("name", ""),
        "image": spec.get("image", ""),
        "script": spec.get("script") or "",
        "command": shlex.join(spec.get("command") or []),
        "args": shlex.join(spec.get("args") or []),
        "env": "\n".join(f"{name}={value}" for name, value in (spec.get("env") or {}).items()),
        "cpu_millicores": resources.get("cpu_millicores", DEFAULT_CPU_MILLICORES),
        "memory_mib": resources.get("memory_mib", DEFAULT_MEMORY_MIB),
        "gpus": resources.get("gpus", 0),
        "gpu_models": resources.get("gpu_models") or [],
        **{extra_field(key): amount for key, amount in (resources.get("extra") or {}).items()},
        "max_runtime_s": spec.get("max_runtime_s", DEFAULT_RUNTIME_S),
        "retries": spec.get("retries", 0),
        "priority": spec.get("priority", Priority.NORMAL.value),
    }


# What stands for a field that cannot be read; never complained of.
_STAND_INS: dict[str, Any] = {
    "name": "x",
    "image": "x",
    "command": (),
    "args": (),
    "script": None,
    "env": {},
    "cpu_millicores": DEFAULT_CPU_MILLICORES,
    "memory_mib": DEFAULT_MEMORY_MIB,
    "gpus": 0,
    "max_runtime_s": None,
    "retries": 0,
    "priority": Priority.NORMAL.value,
    "template": "",
    "template_version": None,
}


def _add_extra_fields(form: forms.Form, types: Sequence[ResourceType]) -> list[str]:
    """Give a form a field for each of these types, and one for all classes of GPUs; return the keys of the former."""
    classes = [(found.key, found.label) for found in types if found.gpu_product]
    if classes:
        form.fields["gpu_models"] = forms.MultipleChoiceField(
            label=_("GPU models"),
            required=False,
            choices=classes,
            widget=forms.CheckboxSelectMultiple,
            help_text=_("Any of those ticked; none: all"),
        )
    others = [found for found in types if not found.gpu_product]
    for found in others:
        memory = found.unit == Unit.MIB
        field: forms.Field = (
            MemoryField(label=found.label, required=False)
            if memory
            else forms.IntegerField(label=found.label, required=False, min_value=0)
        )
        if found.largest_per_pod is not None:
            most = amount_text(Unit(found.unit), found.largest_per_pod)
            field.help_text = gettext("At most %(most)s") % {"most": most}
        form.fields[extra_field(found.key)] = field
    return [found.key for found in others]


def _resources_of(values: Mapping[str, Any], extra_keys: Sequence[str]) -> Resources:
    return Resources(
        cpu_millicores=values["cpu_millicores"],
        memory_mib=values["memory_mib"],
        gpus=values["gpus"] or 0,
        gpu_models=tuple(values.get("gpu_models") or ()),
        extra={key: amount for key in extra_keys if (amount := values.get(extra_field(key)))},
    )


def _spec_of(values: Mapping[str, Any], extra_keys: Sequence[str]) -> JobSpec:
    return JobSpec(
        name=values["name"],
        image=values["image"],
        resources=_resources_of(values, extra_keys),
        command=values["command"],
        args=values["args"],
        script=values["script"],
        env=values["env"],
        max_runtime_s=values["max_runtime_s"],
        retries=values["retries"] or 0,
        priority=values["priority"] or Priority.NORMAL.value,
        template=values.get("template") or "",
        template_version=values.get("template_version"),
    )


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ValidationError(_unreadable(text), code="quotes") from error


def _unreadable(text: str) -> str:
    if text.rstrip().endswith("\\"):
        return gettext("It ends in a backslash with nothing after it.")
    return gettext("A quote is opened but not closed.")


def _environment(text: str) -> dict[str, str]:
    env: dict[str, str] = {}
    errors = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            errors.append(gettext("Line %(line)d has no “=”.") % {"line": number})
        elif name.strip() in env:
            errors.append(gettext("Line %(line)d sets a name that an earlier line sets.") % {"line": number})
        else:
            env[name.strip()] = value
    if errors:
        raise ValidationError(errors)
    return env
