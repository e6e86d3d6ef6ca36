"""A small kubelet that runs containers as plain local processes, for a machine where nobody is root."""
