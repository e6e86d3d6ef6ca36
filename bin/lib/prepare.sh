# What bin/up and bin/test share: missing Debian packages, and a virtual environment keyed by its lock. POSIX sh, sourced.
# The caller sets `root` to the checkout.

set -eu
cache_dir=${BERTH_CACHE_DIR:-${HOME:-/root}/.cache/berth}

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Debian keeps some of the node's programs outside an ordinary user's PATH.
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# --- Debian packages -------------------------------------------------------------------------------------------------

has_python() {
    for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            python=$candidate
            return 0
        fi
    done
    return 1
}

has_cni() { [ -x /usr/lib/cni/bridge ] || [ -x /opt/cni/bin/bridge ]; }
has_chromium() { has chromium || has chromium-browser; }
has_fonts() { [ -d /usr/share/fonts/truetype ]; }
has_libatomic() { ls /usr/lib/*/libatomic.so.1 >/dev/null 2>&1; } # the Node that comes with playwright wants it
has_certificates() { [ -s /etc/ssl/certs/ca-certificates.crt ]; }

# Each line: a Debian package and the command that says whether it is already here.
base_packages='python3 has_python
python3-venv has_python
ca-certificates has_certificates'
node_packages='runc has runc
containernetworking-plugins has_cni
iptables has iptables
nftables has nft
iproute2 has ip
util-linux has nsenter
busybox-static has busybox
docker-registry has docker-registry'
test_packages='chromium has_chromium
debootstrap has debootstrap
fonts-dejavu-core has_fonts
gettext has msgfmt
libatomic1 has_libatomic
git has git
nodejs has node
npm has npm
procps has ps'

missing_of() {
    printf '%s\n' "$1" | while read -r package probe; do
        if ! $probe; then printf '%s ' "$package"; fi
    done
}

# Usage: install_missing "<list>" "<what it is for>"
install_missing() {
    missing=$(missing_of "$1")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! has apt-get; then
        say "Missing for $2: $missing"
        say "  As root on Debian: apt-get install --no-install-recommends $missing"
        return 0
    fi
    say "Installing for $2: $missing"
    apt_install $missing
}

apt_install() {
    log=$(mktemp)
    policy=/usr/sbin/policy-rc.d
    made_policy=no
    if [ ! -e "$policy" ]; then
        # Installing a package must not start its services: Berth runs its own, with its own settings.
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made_policy=yes
        trap 'rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM
    fi
    failed=no
    {
        DEBIAN_FRONTEND=noninteractive apt-get update &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y --no-remove --no-install-recommends "$@"
    } >"$log" 2>&1 </dev/null || failed=yes
    if [ "$made_policy" = yes ]; then
        rm -f "$policy"
        trap - EXIT INT TERM
    fi
    if [ "$failed" = yes ]; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        die "These packages could not be installed: $*"
    fi
    rm -f "$log"
}

# --- Virtual environment ---------------------------------------------------------------------------------------------

hash_of() { sha256sum "$root/$1" | cut -c 1-16; }

# A virtual environment says in a marker, written last, which locks it fulfils.
fulfils() { [ -x "$1/bin/python" ] && grep -qsx "$2" "$1/.berth-locks"; }

# Usage: use_venv requirements.lock [another lock that is fulfilled with it]; sets `python` to the environment's.
use_venv() {
    wanted=$(hash_of "$1")
    superset=$(hash_of requirements-dev.lock)
    for place in "$root/.venv" "$cache_dir/venv/$wanted" "$cache_dir/venv/$superset"; do
        if fulfils "$place" "$wanted"; then
            python=$place/bin/python
            return 0
        fi
    done
    has_python || die "Python 3.11 or newer with its venv module is needed (Debian: python3 python3-venv)."
    mkdir -p "$cache_dir/venv"
    if has flock; then
        exec 9>"$cache_dir/venv/$wanted.lock"
        flock 9
    fi
    fulfils "$cache_dir/venv/$wanted" "$wanted" || make_venv "$cache_dir/venv/$wanted" "$@"
    if has flock; then exec 9>&-; fi
    python=$cache_dir/venv/$wanted/bin/python
}

make_venv() {
    place=$1
    shift
    say "Installing Python packages ($1) into $place"
    "$python" -m venv --clear "$place"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
        -r "$root/$1" </dev/null || die "The Python packages could not be installed."
    for lock in "$@"; do hash_of "$lock"; done >"$place/.berth-locks"
    say "Python packages: done"
}
