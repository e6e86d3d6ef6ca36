"""The description of REST is free of warnings, and the committed one is current."""

from pathlib import Path

from django.core.management import call_command

SNAPSHOT = Path(__file__).parents[2] / "docs/api/openapi.yaml"


def test_the_committed_description_of_rest_is_current(tmp_path: Path) -> None:
    """To renew it: manage.py spectacular --validate --fail-on-warn --file docs/api/openapi.yaml."""
    fresh = tmp_path / "openapi.yaml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(fresh))
    assert fresh.read_text() == SNAPSHOT.read_text()
