#!/usr/bin/env bash
# Changes pure modules in hundreds of small ways, and says how many of the changes their unit tests notice: those of quota
# (the ledger's arithmetic, shares, the queue's plan), of placement, or of repacking. By hand only (`just mutants quota`):
# it takes minutes, and mutmut comes from the network into a directory of its own.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Fewer random examples: each mutant is tried with all tests, and the others find it as well.
quota() {
    mkdir tenants workloads
    for file in tenants/{__init__,ledger,shares,specs}.py workloads/{__init__,asks,queue,specs}.py; do cp "$root/$file" "$file"; done
    cp "$root"/tests/unit/tenants/test_{ledger,book,shares}.py "$root"/tests/unit/workloads/test_queue{,_shares,_types}.py tests/
    sed -i "s/^from tests.unit.workloads.test_queue /from test_queue /" tests/test_queue_types.py
    sed -i -E 's/^EVENTS = .*/EVENTS = 100/; s/max_examples=(100|50), deadline=None/max_examples=20, deadline=None, derandomize=True/' \
        tests/test_{ledger,queue_shares}.py
    sources="tenants/ workloads/" mutated="tenants/ledger.py tenants/shares.py workloads/queue.py"
}

placement() {
    mkdir -p gpu/placement
    cp "$root/gpu/__init__.py" gpu/
    cp "$root"/gpu/placement/*.py gpu/placement/
    cp "$root"/tests/unit/gpu/{clusters,plain}.py tests/
    cp "$root"/tests/unit/gpu/test_{cluster,gangs,loss,mig,mix,placement_events,placer,scarcity,sharing,topology,whatif}.py tests/
    sed -i "s/^from tests.unit.gpu.clusters /from clusters /; s/^from tests.unit.gpu import plain/import plain/" tests/*.py
    sed -i -E 's/^RUNS = .*/RUNS = 2/; s/"4000"/"300"/; s/range\(300\)/range(60)/' tests/test_placement_events.py
    sources="gpu/" mutated=$(cd "$root" && ls gpu/placement/*.py | grep -v repacking)
}

# Apart, since random plans take longest.
repacking() {
    placement
    rm tests/test_*.py
    cp "$root"/tests/unit/gpu/test_repacking.py tests/
    sed -i "s/^from tests.unit.gpu.clusters /from clusters /" tests/*.py
    sed -i -E 's/max_examples=[0-9]+, deadline=None/max_examples=6, deadline=None, derandomize=True/' tests/*.py
    mutated="gpu/placement/repacking.py"
}

what=${1:-quota}
case $what in quota | placement | repacking) ;; *) echo "$0 quota|placement|repacking" >&2; exit 2 ;; esac
"$root/.venv/bin/python" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet mutmut==3.8.1 hypothesis pytest msgspec numpy
cd "$work"
mkdir tests
"$what"
{
    echo "[mutmut]"
    echo "source_paths="
    printf '    %s\n' $sources
    echo "only_mutate="
    printf '    %s\n' $mutated
    echo "pytest_add_cli_args_test_selection="
    echo "    tests/"
} >setup.cfg
cat >conftest.py <<'EOF'
from hypothesis import settings

settings.register_profile("mutants", max_examples=40, derandomize=True, deadline=None)
settings.load_profile("mutants")
EOF
export PATH="$work/venv/bin:$PATH"
mutmut run >run.log 2>&1 || { tail -20 run.log; exit 1; }
total=$(tr '\r' '\n' <run.log | grep -oE '[0-9]+/[0-9]+' | tail -1 | cut -d/ -f2)
mutmut results | tee results.txt | sed 's/__mutmut_[0-9]*//' | sort | uniq -c | sort -rn
left=$(grep -c . results.txt || true)
echo "$((total - left)) of $total mutants were noticed: $(((total - left) * 100 / total)) %"
