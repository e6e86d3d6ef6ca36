"""Seals of the audit trail, append-only like the trail itself."""

from django.db import migrations, models

APPEND_ONLY = """
CREATE TRIGGER core_auditseal_append_only BEFORE UPDATE OR DELETE ON core_auditseal
  FOR EACH ROW EXECUTE FUNCTION core_auditentry_append_only();
"""
UNDO = "DROP TRIGGER core_auditseal_append_only ON core_auditseal"


class Migration(migrations.Migration):
    dependencies = [("core", "0005_manage_scope_label")]

    operations = [
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("first_id", models.BigIntegerField(unique=True)),
                ("last_id", models.BigIntegerField(unique=True)),
                ("count", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64)),
            ],
        ),
        migrations.RunSQL(APPEND_ONLY, UNDO),
    ]
