"""Nodes that only play what pods would do, by a script: hundreds of nodes and thousands of pods in one process."""
