"""Workloads by REST: shapes, what is read of a request, and endpoints. Services and selectors do the work."""
