"""What an attempt holds is said by resource type, and the ledger of its tenant is told of all that is held now."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_HOLDS = """
UPDATE workloads_attempt SET settled = released_at IS NOT NULL, holds = jsonb_strip_nulls(jsonb_build_object(
  'cpu_millicores', NULLIF(cpu_millicores, 0), 'memory_mib', NULLIF(memory_mib, 0), 'gpus', NULLIF(gpus, 0), 'pods', pods
))
"""

# What is above a limit is there already: it stays, as an overhang.
_USED = """
UPDATE tenants_quotaline AS q SET used = h.used, overhang = GREATEST(0, h.used - q.nominal)
FROM (SELECT a.tenant_id, t.id AS type_id, SUM(e.value::bigint) AS used
      FROM workloads_attempt a CROSS JOIN LATERAL jsonb_each_text(a.holds) AS e
      JOIN tenants_resourcetype t ON t.key = e.key
      WHERE NOT a.settled GROUP BY a.tenant_id, t.id) AS h
WHERE q.tenant_id = h.tenant_id AND q.type_id = h.type_id
"""


def _fill(_apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    editor.execute(_HOLDS)
    editor.execute(_USED)


class Migration(migrations.Migration):
    dependencies = [("tenants", "0003_limits_are_rows"), ("workloads", "0008_log_retention")]

    operations = [
        migrations.AddField(
            model_name="attempt", name="holds", field=models.JSONField(default=dict), preserve_default=False
        ),
        migrations.AddField(model_name="attempt", name="settled", field=models.BooleanField(default=False)),
        migrations.RunPython(_fill, migrations.RunPython.noop),
        migrations.RemoveIndex(model_name="attempt", name="attempt_held"),
        migrations.RemoveField(model_name="attempt", name="cpu_millicores"),
        migrations.RemoveField(model_name="attempt", name="gpus"),
        migrations.RemoveField(model_name="attempt", name="memory_mib"),
        migrations.RemoveField(model_name="attempt", name="pods"),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(condition=models.Q(settled=False), fields=["tenant"], name="attempt_held"),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(released_at__isnull=False, settled=False),
                fields=["released_at"],
                name="attempt_to_settle",
            ),
        ),
    ]
