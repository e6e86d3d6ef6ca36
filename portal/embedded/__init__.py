"""`manage.py up`: everything that one machine needs to run the portal. Never imported by the rest of the product."""
