"""Forms of the quota table: its rows as inputs, and one bound of many tenants. They parse, services judge."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from tenants.forms import BOUNDS, ExcessField, RejectingForm, amount_field
from tenants.models import ResourceType
from tenants.quotabulk import Errors, LinesRejected
from tenants.quotatable import TableRow

_LABELS = dict(BOUNDS)
_PARTS = 3  # of a field's name: slug, key, bound
_NARROW = {"size": "7", "class": "form-control-sm", "autocomplete": "off"}
MOST_PERCENT = 1_000
MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """An input of the table: a bound of a tenant's quota of a type."""

    slug: str
    key: str
    bound: str

    @property
    def name(self) -> str:
        """The name of its field; no slug and no key holds a dot."""
        return f"{self.slug}.{self.key}.{self.bound}"


def cells_of(rows: Iterable[TableRow]) -> dict[Cell, int]:
    """Return the inputs of these rows with what they hold; without a cohort nothing is lent or borrowed."""
    return {
        Cell(row.slug, row.key, bound): getattr(row.line, bound)
        for row in rows
        for bound, _label in (BOUNDS if row.cohort else BOUNDS[:1])
    }


def cells_named(names: Iterable[str], types: Mapping[str, ResourceType]) -> list[Cell]:
    """Return the inputs that a form posted; what is none, or of no type that is known, is left out."""
    parts = [name.split(".") for name in names]
    found = [Cell(*part) for part in parts if len(part) == _PARTS]
    return [cell for cell in found if cell.key in types and cell.bound in _LABELS]


class RowsForm(RejectingForm):
    """Some cells of the table as inputs."""

    def __init__(self, *args: Any, cells: Sequence[Cell], types: Mapping[str, ResourceType], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cells = list(cells)
        for cell in self._cells:
            field = amount_field(types[cell.key], f"{cell.slug}, {types[cell.key].label}: {_LABELS[cell.bound]}")
            field.widget.attrs |= {**_NARROW, "aria-label": str(field.label)}
            self.fields[cell.name] = field

    def wanted(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return the bounds of a form that is valid, by slug and key."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for cell in self._cells:
            found.setdefault((cell.slug, cell.key), {})[cell.bound] = self.cleaned_data[cell.name]
        return found

    def show(self, rejected: LinesRejected) -> None:
        """Show what is wrong with a line at its input."""
        for (slug, key), found in rejected.lines.items():
            for at, texts in found.items():
                cell = Cell(slug, key, at if at in _LABELS else "nominal")
                self.add_error(cell.name if cell.name in self.fields else None, [str(text) for text in texts])

    def told_elsewhere(self, rows: Iterable[TableRow]) -> list[str]:
        """Return what is wrong with inputs that are in none of these rows, which may be others by now."""
        shown = {(row.slug, row.key) for row in rows}
        cells = [cell for cell in self._cells if (cell.slug, cell.key) not in shown]
        texts = [(self.fields[cell.name].label, text) for cell in cells for text in self.errors.get(cell.name, [])]
        return [f"{label}: {text}" for label, text in texts[:MOST_TOLD]]


class BulkForm(RejectingForm):
    """What to do with one bound of a type for all chosen tenants."""

    bound = forms.ChoiceField(label=_("Bound"), choices=BOUNDS)
    how = forms.ChoiceField(
        label=_("Change"),
        choices=[("to", _("set to")), ("by", _("change by")), ("percent", _("% of now, rounded down"))],
    )
    value = forms.CharField(label=_("Value"), max_length=40, widget=forms.TextInput(_NARROW))

    def __init__(self, *args: Any, found: ResourceType, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._type = found
        for name in ("bound", "how"):
            self.fields[name].widget.attrs |= {"class": "form-select-sm w-auto"}

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if "value" in values and "how" in values:
            try:
                values["amount"] = self._amount(values["how"], values["value"].strip())
            except ValidationError as error:
                self.add_error("value", error)
        return values

    def wanted(self, rows: Iterable[TableRow]) -> dict[tuple[str, str], dict[str, int]]:
        """Return the bound that each of these rows is to have, of a form that is valid."""
        bound = self.cleaned_data["bound"]
        return {(row.slug, row.key): {bound: self._changed(getattr(row.line, bound))} for row in rows}

    def show(self, rejected: LinesRejected) -> None:
        """Show what is wrong with some of the lines, the first few of them."""
        for text in told_errors(rejected.lines):
            self.add_error("value", text)

    def _amount(self, how: str, text: str) -> Any:
        if how == "percent":
            return forms.DecimalField(min_value=0, max_value=MOST_PERCENT, decimal_places=4).clean(text.rstrip(" %"))
        sign = -1 if how == "by" and text.startswith(("-", "−")) else 1
        amount = amount_field(self._type).clean(text.lstrip("+-−").strip() if how == "by" else text)
        return sign * amount

    def _changed(self, now: int) -> int:
        how, amount = self.cleaned_data["how"], self.cleaned_data["amount"]
        if how == "percent":
            return int((Decimal(now) * amount / 100).to_integral_value(ROUND_FLOOR))
        return int(now + amount if how == "by" else amount)


class ExcessForm(forms.Form):
    """What a preview asks where more is held than would be allowed."""

    excess = ExcessField(refuse=False)


def told_errors(errors: Errors) -> list[str]:
    """Return what is wrong with lines as sentences, the first 20, and how many more there are."""
    told = [
        f"{slug}, {_LABELS[at]}: {text}" if at in _LABELS else f"{slug}, {key}: {text}"
        for (slug, key), found in errors.items()
        for at, texts in found.items()
        for text in texts
    ]
    more = len(told) - MOST_TOLD
    return [*told[:MOST_TOLD], *([str(_("and %(n)d more") % {"n": more})] if more > 0 else [])]
