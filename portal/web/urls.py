"""Routes of the shell pages."""

from django.urls import path

from portal.web import docs, helping, home, search, views

urlpatterns = [
    path("", home.home, name="home"),
    path("docs/", docs.docs, name="docs"),
    path("docs/<path:path>", docs.docs, name="docs_page"),
    path("help/", helping.help_page, name="help"),
    path("search/", search.search, name="search"),
    path("cluster-notice/", views.cluster_notice, name="cluster_notice"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("preferences/theme/", views.set_theme, name="set_theme"),
    path("preferences/language/", views.set_language, name="set_language"),
]
