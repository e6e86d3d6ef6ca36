"""The shell part of the start: what counts as missing, and which virtual environment fits."""

import hashlib
import os
import subprocess
from pathlib import Path

from portal.embedded.layout import ROOT


def shell(script: str, *, root: Path = ROOT, first_on_path: Path | None = None, cache: Path | None = None) -> str:
    path = f"{first_on_path}:{os.environ['PATH']}" if first_on_path else os.environ["PATH"]
    done = subprocess.run(
        ["sh", "-c", f'root="{root}"; . "{ROOT}/bin/lib/prepare.sh"; {script}'],
        env={"PATH": path, "HOME": "/nonexistent", "BERTH_CACHE_DIR": str(cache or "/nonexistent")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_only_what_is_not_there_is_missing() -> None:
    assert shell('missing_of "sh-package has sh\nother has no-such-program"') == "other"


def environment_for(place: Path, *locks: str) -> None:
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").symlink_to("/bin/true")
    (place / ".berth-locks").write_text("".join(f"{lock}\n" for lock in locks))


def lock_of(root: Path, name: str) -> str:
    (root / name).write_text(name)
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def test_the_checkouts_own_environment_is_used_when_it_fulfils_the_lock(tmp_path: Path) -> None:
    run_time, development = lock_of(tmp_path, "requirements.lock"), lock_of(tmp_path, "requirements-dev.lock")
    environment_for(tmp_path / ".venv", development, run_time)
    assert shell('use_venv requirements.lock; echo "$python"', root=tmp_path) == f"{tmp_path}/.venv/bin/python"


def test_an_environment_of_an_older_lock_is_passed_over(tmp_path: Path) -> None:
    run_time, _ = lock_of(tmp_path, "requirements.lock"), lock_of(tmp_path, "requirements-dev.lock")
    environment_for(tmp_path / ".venv", "0123456789abcdef")
    environment_for(tmp_path / "cache" / "venv" / run_time, run_time)
    answer = shell('use_venv requirements.lock; echo "$python"', root=tmp_path, cache=tmp_path / "cache")
    assert answer == f"{tmp_path}/cache/venv/{run_time}/bin/python"
