"""Limits of a tenant become rows of a ledger, one for each resource type; nothing is lent or borrowed yet."""

import uuid

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# key, Kubernetes' name, label, 中文, unit, key of a ResourceQuota, column of the tenant's limit
_TYPES = (
    ("cpu_millicores", "cpu", "CPU cores", "CPU 核数", "millicores", "requests.cpu", "cpu_limit_millicores"),
    ("memory_mib", "memory", "Memory", "内存", "mib", "requests.memory", "memory_limit_mib"),
    ("gpus", "nvidia.com/gpu", "GPUs", "GPU", "count", "requests.nvidia.com/gpu", "gpu_limit"),
    ("pods", "pods", "Pods", "Pod", "count", "pods", "pods_limit"),
)


def _fill(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    resource_type, line = apps.get_model("tenants", "ResourceType"), apps.get_model("tenants", "QuotaLine")
    tenants = list(apps.get_model("tenants", "Tenant").objects.all())
    for place, (key, kube_name, label_en, label_zh, unit, quota_key, column) in enumerate(_TYPES, start=1):
        made = resource_type.objects.create(
            key=key,
            kube_name=kube_name,
            label_en=label_en,
            label_zh=label_zh,
            unit=unit,
            quota_key=quota_key,
            position=place * 10,
        )
        line.objects.bulk_create(line(tenant=tenant, type=made, nominal=getattr(tenant, column)) for tenant in tenants)


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Cohort",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=120, unique=True)),
                ("created", models.DateTimeField(auto_now_add=True)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="ResourceType",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("key", models.SlugField(editable=False, max_length=40, unique=True)),
                ("kube_name", models.CharField(max_length=317)),
                ("label_en", models.CharField(max_length=60)),
                ("label_zh", models.CharField(max_length=60)),
                (
                    "unit",
                    models.CharField(
                        choices=[("millicores", "Thousandths of a core"), ("mib", "MiB"), ("count", "Pieces")],
                        default="count",
                        max_length=10,
                    ),
                ),
                ("quota_key", models.CharField(blank=True, default="", max_length=330)),
                ("position", models.PositiveSmallIntegerField(default=100)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="QuotaLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("nominal", models.PositiveBigIntegerField(default=0)),
                ("borrow_limit", models.PositiveBigIntegerField(default=0)),
                ("lend_limit", models.PositiveBigIntegerField(default=0)),
                ("used", models.PositiveBigIntegerField(default=0)),
                ("overhang", models.PositiveBigIntegerField(default=0)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="quota_lines", to="tenants.tenant"
                    ),
                ),
                (
                    "type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quota_lines",
                        to="tenants.resourcetype",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "type"), name="quotaline_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            used__lte=models.F("nominal") + models.F("borrow_limit") + models.F("overhang")
                        ),
                        name="quotaline_within_its_bounds",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(lend_limit__lte=models.F("nominal")), name="quotaline_lends_its_own"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PoolLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("lendable", models.PositiveBigIntegerField(default=0)),
                ("used", models.PositiveBigIntegerField(default=0)),
                ("overhang", models.PositiveBigIntegerField(default=0)),
                (
                    "cohort",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="pool_lines", to="tenants.cohort"
                    ),
                ),
                (
                    "type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pool_lines",
                        to="tenants.resourcetype",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("cohort", "type"), name="poolline_once"),
                    models.CheckConstraint(
                        condition=models.Q(used__lte=models.F("lendable") + models.F("overhang")),
                        name="poolline_within_its_bounds",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="tenant",
            name="cohort",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="tenants",
                to="tenants.cohort",
            ),
        ),
        migrations.RunPython(_fill, migrations.RunPython.noop),
    ]
