"""The columns of limits go: they are rows by now."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tenants", "0002_quota_ledger")]

    operations = [
        migrations.RemoveField(model_name="tenant", name="cpu_limit_millicores"),
        migrations.RemoveField(model_name="tenant", name="gpu_limit"),
        migrations.RemoveField(model_name="tenant", name="memory_limit_mib"),
        migrations.RemoveField(model_name="tenant", name="pods_limit"),
    ]
