"""Starts programs as somebody who is not root, on a machine where the tests are: what people without rights see.

The user has a number and no account, which is the harder case. Where the tests themselves are not root, it is them.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from portal import env
from portal.embedded.cluster.build import DEVCLUSTER, ensure
from portal.embedded.images import build as images

ROOT = Path(__file__).parents[2]
_UID = 20_011
_BUILT = ("devcluster", "images")
# Directories on the way to the programs may be closed to others (/root is). In a mount namespace of its own each gets
# an open top over its own content; nothing on the machine changes. That hides what is mounted below, so the cache,
# which may be a mount, comes to the user's home before.
_OPEN = """
set -eu
scratch=$1 user=$2 from=$3 to=$4
shift 4
for built in $BUILT; do
    mount --bind "$from/$built" "$to/$built"
done
mount -t tmpfs tmpfs "$scratch"
n=0
while [ "$1" != -- ]; do
    n=$((n + 1))
    mkdir -m 755 "$scratch/upper$n" "$scratch/work$n"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$scratch/upper$n,workdir=$scratch/work$n" "$1"
    shift
done
shift
cd /
exec setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"
"""


@dataclass(frozen=True)
class OrdinaryUser:
    """Somebody who is not root, and whose home is `home`."""

    home: Path

    def __post_init__(self) -> None:
        """Make the home, with a cache in which what takes minutes to build is there already."""
        ensure(DEVCLUSTER, cache_dir=env.cache_dir())
        for make in (images.busybox, images.python):
            make(cache_dir=env.cache_dir(), say=print)
        self.home.parent.chmod(0o711)
        cache = self.home / "cache"
        cache.mkdir(parents=True)
        (self.home / "open").mkdir()
        for name in _BUILT:
            if os.geteuid() == 0:
                (cache / name).mkdir()
            else:
                (cache / name).symlink_to(env.cache_dir() / name)
        if os.geteuid() == 0:
            for path in (self.home, cache):
                os.chown(path, _UID, _UID)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that tell where the user's things are."""
        return {"HOME": str(self.home), "BERTH_CACHE_DIR": str(self.home / "cache")}

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return a command line that becomes `argv`, run by this user; its process id stays."""
        if os.geteuid() != 0:
            return list(argv)
        closed = dict.fromkeys(
            directory
            for place in (ROOT, Path(sys.prefix), Path(sys.base_prefix), env.cache_dir())
            for directory in closed_on_the_way(place)
        )
        places = [str(self.home / "open"), str(_UID), str(env.cache_dir()), str(self.home / "cache")]
        opened = ["env", f"BUILT={' '.join(_BUILT)}", "sh", "-c", _OPEN, "sh", *places, *closed, "--"]
        return ["unshare", "--mount", "--propagation", "private", "--", *opened, *argv]


def closed_on_the_way(place: Path) -> Iterator[str]:
    """Give the directories from the root down to a place that others may not enter."""
    for directory in (*reversed(place.parents), place):
        if not directory.stat().st_mode & 0o001:
            yield str(directory)
