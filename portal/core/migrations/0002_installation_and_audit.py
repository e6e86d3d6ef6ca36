"""The installation's row, the cluster's row, and the trigger that keeps the audit trail append-only."""

import uuid

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION core_auditentry_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is append-only';
END $$;
CREATE TRIGGER core_auditentry_append_only BEFORE UPDATE OR DELETE ON core_auditentry
  FOR EACH ROW EXECUTE FUNCTION core_auditentry_append_only();
"""
UNDO = """
DROP TRIGGER core_auditentry_append_only ON core_auditentry;
DROP FUNCTION core_auditentry_append_only();
"""


def make_rows(apps, schema_editor):
    apps.get_model("core", "Installation").objects.create(id=uuid.uuid4())
    apps.get_model("core", "ClusterStatus").objects.create(id=1)


def forget_rows(apps, schema_editor):
    apps.get_model("core", "Installation").objects.all().delete()
    apps.get_model("core", "ClusterStatus").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [migrations.RunPython(make_rows, forget_rows), migrations.RunSQL(APPEND_ONLY, UNDO)]
