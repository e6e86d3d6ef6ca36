"""REST of quota requests."""
