"""Routes of a tenant's requests, below /tenants/<slug>/quota/requests/."""

from django.urls import path

from quotarequests import views

app_name = "quotarequests"
urlpatterns = [
    path("", views.requests, name="list"),
    path("new/", views.new, name="new"),
    path("<uuid:request_id>/", views.detail, name="detail"),
    path("<uuid:request_id>/approve/", views.approve, name="approve"),
    path("<uuid:request_id>/deny/", views.deny, name="deny"),
    path("<uuid:request_id>/ask-back/", views.ask_back, name="ask_back"),
    path("<uuid:request_id>/answer/", views.answer, name="answer"),
    path("<uuid:request_id>/withdraw/", views.withdraw, name="withdraw"),
]
