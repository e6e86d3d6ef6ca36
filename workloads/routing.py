"""Websocket routes of workloads; each consumer declares its action."""

from portal.live.routing import socket
from workloads import consumers

websocket_urlpatterns = [
    socket("ws/workloads/", consumers.AllWorkloadsConsumer),
    socket("ws/workloads/<uuid:workload_id>/", consumers.WorkloadStateConsumer),
    socket("ws/workloads/<uuid:workload_id>/logs/", consumers.WorkloadLogConsumer),
    socket("ws/tenants/<slug:slug>/workloads/", consumers.TenantWorkloadsConsumer),
]
