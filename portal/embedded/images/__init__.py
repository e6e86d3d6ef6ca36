"""The demo's container images, made from what the machine has: no registry has to be reached. Standard library only."""
