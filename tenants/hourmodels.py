"""The history of the quota ledger, a row an hour. Apart from `tenants.models`, which takes it in."""

from django.db import models


class QuotaHour(models.Model):
    """What a tenant might hold of a resource type in an hour, and held in the samples that were taken of it.

    An hour of which no sample was taken has no row. Amounts are whole numbers in the type's unit; the limits are those
    of the last sample.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="quota_hours", db_index=False)
    type = models.ForeignKey("tenants.ResourceType", on_delete=models.CASCADE, related_name="+", db_index=False)
    hour = models.DateTimeField()
    nominal = models.PositiveBigIntegerField()
    borrow_limit = models.PositiveBigIntegerField()
    used_sum = models.PositiveBigIntegerField()
    used_max = models.PositiveBigIntegerField()
    samples = models.PositiveSmallIntegerField(default=1)
    sampled_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "type", "hour"], name="quotahour_once")]
        indexes = [models.Index(fields=["hour"], name="quotahour_by_hour")]
