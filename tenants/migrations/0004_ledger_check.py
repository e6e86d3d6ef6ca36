"""Where the last check of the ledger is kept."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0003_limits_are_rows")]

    operations = [
        migrations.CreateModel(
            name="LedgerCheck",
            fields=[
                ("id", models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("checked_at", models.DateTimeField()),
                ("differences", models.JSONField(default=list)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(id=1), name="ledgercheck_is_one")],
            },
        ),
    ]
