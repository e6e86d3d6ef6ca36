"""The Django project. Importing it stays free: the node and the supervisor use its stdlib-only parts."""
