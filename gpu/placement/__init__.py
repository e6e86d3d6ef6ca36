"""Which devices of which node a request gets: pure, on numpy arrays, without a server, a database or a cluster.

Read `specs` (the words), `cluster` (what is there and free), `mix` (what is asked for lately), `loss` (what of a node's
idle devices such requests could not use), `scarcity` (which models others will need), `refusals` (why nothing fits)
and `placer`, which puts them together. `docs/allocation.md` tells what was tried and what it gave.
"""
