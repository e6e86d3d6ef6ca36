"""What a node says and hears in a cluster, without any runtime: the floor of the process node and of scripted nodes."""
