"""The embedded Kubernetes as a program: what it is made of, and how it is built once and kept. Stdlib only."""
