"""Routes of workloads and templates under /api/v1/."""

from django.urls import path

from workloads.api import holdingviews, listviews, partviews, shareviews, templateviews, views

_ONE = "workloads/<uuid:workload_id>/"
_TEMPLATE = "templates/<uuid:template_id>/"
_VERSION = f"{_TEMPLATE}versions/<int:number>/"
urlpatterns = [
    path("workloads/", views.WorkloadsView.as_view(), name="workloads"),
    path("workloads/csv/", listviews.WorkloadsCsvView.as_view(), name="workloads-csv"),
    path("workloads/bulk/", listviews.WorkloadsBulkView.as_view(), name="workloads-bulk"),
    path("saved-filters/", listviews.SavedFiltersView.as_view(), name="saved-filters"),
    path("saved-filters/<uuid:filter_id>/", listviews.SavedFilterView.as_view(), name="saved-filter"),
    path("tenants/<str:slug>/quota/shares/", shareviews.SharesView.as_view(), name="quota-shares"),
    path("tenants/<str:slug>/workloads/", views.TenantWorkloadsView.as_view(), name="tenant-workloads"),
    path("tenants/<str:slug>/workloads/verdict/", views.WorkloadVerdictView.as_view(), name="verdict"),
    path("tenants/<str:slug>/quota/holdings/", holdingviews.QuotaHoldingsView.as_view(), name="quota-holdings"),
    path(_ONE, views.WorkloadView.as_view(), name="workload"),
    path(f"{_ONE}cancel/", views.WorkloadCancelView.as_view(), name="workload-cancel"),
    path(f"{_ONE}clone/", views.WorkloadCloneView.as_view(), name="workload-clone"),
    path(f"{_ONE}explain/", partviews.WorkloadExplainView.as_view(), name="workload-explain"),
    path(f"{_ONE}events/", partviews.WorkloadEventsView.as_view(), name="workload-events"),
    path(f"{_ONE}events/cluster/", partviews.WorkloadClusterEventsView.as_view(), name="workload-cluster-events"),
    path(f"{_ONE}pods/", partviews.WorkloadPodsView.as_view(), name="workload-pods"),
    path(f"{_ONE}manifests/", partviews.WorkloadManifestsView.as_view(), name="workload-manifests"),
    path(f"{_ONE}diff/<uuid:other_id>/", partviews.WorkloadDiffView.as_view(), name="workload-diff"),
    path(f"{_ONE}logs/", partviews.WorkloadLogsView.as_view(), name="workload-logs"),
    path(f"{_ONE}logs/download/", partviews.WorkloadLogDownloadView.as_view(), name="workload-log-download"),
    path("templates/", templateviews.TemplatesView.as_view(), name="templates"),
    path(_TEMPLATE, templateviews.TemplateView.as_view(), name="template"),
    path(f"{_TEMPLATE}archive/", templateviews.TemplateArchiveView.as_view(), name="template-archive"),
    path(f"{_TEMPLATE}unarchive/", templateviews.TemplateUnarchiveView.as_view(), name="template-unarchive"),
    path(f"{_TEMPLATE}history/", templateviews.TemplateHistoryView.as_view(), name="template-history"),
    path(f"{_TEMPLATE}versions/", templateviews.TemplateVersionsView.as_view(), name="template-versions"),
    path(_VERSION, templateviews.TemplateVersionView.as_view(), name="template-version"),
    path(f"{_VERSION}diff/<int:other>/", templateviews.TemplateVersionDiffView.as_view(), name="template-diff"),
]
