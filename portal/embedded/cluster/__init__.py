"""The embedded Kubernetes as a program: which sources make it, and how its binary gets built once and kept. Stdlib only."""
