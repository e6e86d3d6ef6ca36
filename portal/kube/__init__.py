"""The one place that talks to Kubernetes.

Importing it stays light: `client` loads the official library when connecting.
"""
