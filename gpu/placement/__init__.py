"""Which devices of which node a request gets: pure, on numpy arrays, without a server, a database or a cluster.

Read `specs` (the words), `cluster` (what is there and free; `topology`: what is near to what inside a node, `sharing`:
who meets on a device, `mig` and `partitions`: instances of partitioned devices), `mix` (what is asked for lately),
`loss` (what of a node's idle devices such requests could not use), `scarcity` (which models others will need),
`scores`, which makes a number of these, and `placer`, which chooses by it. `gangs` places several pods or none,
`refusals` says why nothing fits, `whatif` what would have to be otherwise, `repacking` who could move.
`docs/allocation.md` tells what was tried and what it gave.
"""
