# The verbs of the house; CI calls the same ones. `just` alone lists them.
default:
    @just --list

# Make .venv, which the verbs below and the hooks of pre-commit use: the locked packages of development.
venv:
    sh -c 'root=$PWD; . bin/lib/prepare.sh; has_python && make_venv "$PWD/.venv" requirements-dev.lock requirements.lock'

# Install what is missing and start everything on this machine.
up *ARGS:
    bin/up {{ARGS}}

# Run every test, as CI does.
test *ARGS:
    bin/test {{ARGS}}

# Lint and format check.
lint:
    .venv/bin/ruff check . && .venv/bin/ruff format --check .

# Format in place.
fmt:
    .venv/bin/ruff format . && .venv/bin/ruff check --fix .

# Strict types.
types:
    .venv/bin/mypy portal tenants gpu workloads quotarequests tests manage.py

# Import contracts, sizes, routes, migrations.
contracts:
    bin/test tests/architecture

# Rebuild static/dist from frontend/.
frontend:
    npm ci && npm run build

# Bring locale/ in step with the code: new texts in, unused ones out, compiled.
messages:
    .venv/bin/python manage.py messages

# Build the embedded Kubernetes into the cache and print its path.
devcluster:
    .venv/bin/python -m portal.embedded.cluster.build

# Measure what docs/performance.md tells, on this machine, and write it anew: about 15 minutes.
performance *ARGS:
    .venv/bin/python -m tests.bench --write docs/performance.md {{ARGS}}

# Take the pictures of docs/images anew, from a demo that is started for it.
pictures *NAMES:
    .venv/bin/python -m tests.browser.pictures {{NAMES}}

# Lock the requirements again, with hashes and without addresses.
lock:
    uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements.in -o requirements.lock
    uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements-dev.in -o requirements-dev.lock

# Put the fragments of changes/ into CHANGELOG.md.
changelog VERSION:
    .venv/bin/towncrier build --version {{VERSION}}

# How many small faults in pure modules (quota, placement, repacking) the unit tests notice; takes minutes, not part of CI.
mutants WHAT="quota":
    tests/mutants.sh {{WHAT}}
