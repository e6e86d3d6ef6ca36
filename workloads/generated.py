"""Columns that the database copies from a workload's spec: their expressions."""

from django.db.models import Case, PositiveSmallIntegerField, TextField, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from tenants.specs import Priority


def text_of_spec(name: str) -> Coalesce:
    """Return a text of the spec; "" where it says none."""
    return Coalesce(KT(f"spec__{name}"), Value("", output_field=TextField()), output_field=TextField())


def priority_rank_of_spec() -> Case:
    """Return the rank of the spec's priority; one that says none is normal."""
    others = [each for each in Priority if each is not Priority.NORMAL]
    whens = [When(Exact(KT("spec__priority"), Value(each.value)), then=each.rank) for each in others]
    return Case(*whens, default=Priority.NORMAL.rank, output_field=PositiveSmallIntegerField())
