"""The hourly history of the quota ledger."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0007_quota_shares'),
    ]

    operations = [
        migrations.CreateModel(
            name='QuotaHour',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('hour', models.DateTimeField()),
                ('nominal', models.PositiveBigIntegerField()),
                ('borrow_limit', models.PositiveBigIntegerField()),
                ('used_sum', models.PositiveBigIntegerField()),
                ('used_max', models.PositiveBigIntegerField()),
                ('samples', models.PositiveSmallIntegerField(default=1)),
                ('sampled_at', models.DateTimeField()),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='quota_hours', to='tenants.tenant')),
                ('type', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.resourcetype')),
            ],
            options={
                'indexes': [models.Index(fields=['hour'], name='quotahour_by_hour')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'type', 'hour'), name='quotahour_once')],
            },
        ),
    ]
