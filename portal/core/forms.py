"""How every form field looks: Django's own renderer with our templates and the classes of the style sheet.

No form defines markup; a field's template is templates/django/forms/field.html.
"""

from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting

_CHECKS = (forms.CheckboxInput, forms.RadioSelect, forms.CheckboxSelectMultiple)


def control_class(widget: forms.Widget) -> str:
    """Return the style class of a widget's control; "" for hidden inputs."""
    if widget.is_hidden:
        return ""
    if isinstance(widget, _CHECKS):
        return "form-check-input"
    return "form-select" if isinstance(widget, forms.Select) else "form-control"


class BerthBoundField(forms.BoundField):
    """A bound field whose control carries our classes and points at its hint and its error."""

    def build_widget_attrs(self, attrs: dict[str, Any], widget: forms.Widget | None = None) -> dict[str, Any]:
        built: dict[str, Any] = super().build_widget_attrs(attrs, widget)
        chosen = widget or self.field.widget
        classes = [control_class(chosen), str(chosen.attrs.get("class", "")), "is-invalid" if self.errors else ""]
        if joined := " ".join(name for name in classes if name):
            built["class"] = joined
        return built

    @property
    def is_check(self) -> bool:
        """Whether the label stands after the control."""
        return isinstance(self.field.widget, forms.CheckboxInput)


class BerthRenderer(TemplatesSetting):
    """Django's form renderer, taking templates from the project and bound fields from here."""

    bound_field_class = BerthBoundField
    form_template_name = "django/forms/form.html"
