"""The form of a template: the fields of a submission, and what the template is called."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from workloads import specs
from workloads.forms import JobForm, initial_of
from workloads.models import TemplateVersion
from workloads.templating import Draft


class TemplateForm(JobForm):
    """One version of a template. `seen` is the newest version when the form was opened."""

    seen = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    title = forms.CharField(label=_("Title"), max_length=specs.MAX_TEMPLATE_TITLE)
    summary = forms.CharField(
        label=_("Summary"),
        max_length=specs.MAX_TEMPLATE_SUMMARY,
        required=False,
        help_text=_("One sentence: what it does and what it needs."),
    )
    note = forms.CharField(
        label=_("What is new"),
        max_length=specs.MAX_TEMPLATE_NOTE,
        required=False,
        help_text=_("Shown beside the version."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("Name of its workloads")

    def draft(self, base: TemplateVersion | None) -> Draft:
        """Return what a form that is valid says; `base` is what it was filled from."""
        values = self.cleaned_data
        texts = {name: values[name] for name in ("title", "summary", "note")}
        return Draft(**texts, spec=self.spec(), base=base)


def first_values(
    spec: Mapping[str, Any], *, title: str = "", summary: str = "", seen: int | None = None
) -> dict[str, Any]:
    """Return the form's first values: a spec and what it is called."""
    return {**initial_of(spec), "title": title, "summary": summary, "seen": seen}
