"""Every icon that a template, a tag or an island names is in the sprite."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SPRITE = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (ROOT / "static/icons.svg").read_text()))
NAMED = re.compile(r'(?:%\s*icon |\bicon_name=|\bnav_item "[\w:]+" |\bicon\()"([a-z0-9-]+)"')


def _named_in(*patterns: str) -> dict[str, Path]:
    files = [path for pattern in patterns for path in ROOT.glob(pattern)]
    return {name: path for path in files for name in NAMED.findall(path.read_text())}


def test_every_icon_named_in_a_template_or_island_is_in_the_sprite() -> None:
    named = _named_in("templates/**/*.html", "frontend/*.ts", "portal/core/templatetags/*.py")
    assert len(named) > 15
    missing = {name: str(path) for name, path in named.items() if name not in SPRITE}
    assert not missing


def test_every_state_has_its_icon_in_the_sprite() -> None:
    source = (ROOT / "portal/core/templatetags/berth.py").read_text()
    names = re.findall(r'pgettext_lazy\("state", "\w+"\), "([a-z0-9-]+)"', source)
    assert len(names) >= 8
    assert set(names) <= SPRITE
