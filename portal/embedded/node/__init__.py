"""The embedded Kubernetes at work: a control plane alone, or a node with real containers. Standard library only."""
