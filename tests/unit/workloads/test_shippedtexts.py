"""The shipped templates are shown in the reader's language, and nothing of them is forgotten."""

from django.utils import translation
from ruamel.yaml import YAML

from workloads import shippedtexts
from workloads.management.commands.load_templates import SHIPPED


def test_every_title_and_summary_of_a_shipped_template_is_there_to_be_translated() -> None:
    files = [YAML(typ="safe", pure=True).load(path) for path in SHIPPED.glob("*.yaml")]
    assert {text for file in files for text in (file["title"], file["summary"])} == set(shippedtexts.TEXTS)


def test_what_a_tenant_wrote_itself_stays_as_it_is() -> None:
    with translation.override("zh-hans"):
        assert shippedtexts.shown("Viewer") == "Viewer"
        assert shippedtexts.shown("") == ""
