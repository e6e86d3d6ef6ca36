"""Tenants and members over REST."""
