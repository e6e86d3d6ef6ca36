"""Container output: collected once, numbered, kept. See docs/architecture.md for the path of a line."""
