"""Requests for more quota, and rules that grant them."""

import django.db.models.deletion
import quotarequests.specs
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('tenants', '0007_quota_shares'),
        ('workloads', '0009_attempts_hold_by_type'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='QuotaRequest',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('state', models.CharField(choices=[('open', 'Open'), ('asked_back', 'Asked back'), ('approved', 'Approved'), ('denied', 'Denied'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired'), ('ended', 'Ended')], default='open', max_length=10)),
                ('wanted', models.JSONField()),
                ('had', models.JSONField()),
                ('types', models.JSONField()),
                ('justification', models.TextField()),
                ('until', models.DateField(null=True)),
                ('evidence', models.JSONField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('by_rule', models.BooleanField(default=False)),
                ('reason', models.TextField(blank=True, default='')),
                ('granted', models.JSONField(default=dict)),
                ('granted_until', models.DateField(null=True)),
                ('warned_days', models.PositiveSmallIntegerField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='quota_requests', to='tenants.tenant')),
                ('workload', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workloads.workload')),
            ],
        ),
        migrations.CreateModel(
            name='RequestEvent',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('time', models.DateTimeField(auto_now_add=True)),
                ('actor_name', models.CharField(max_length=150)),
                ('kind', models.CharField(choices=[('created', 'asked'), ('asked_back', 'asked back'), ('answered', 'answered'), ('approved', 'approved it'), ('denied', 'denied it'), ('withdrawn', 'withdrew it'), ('expired', 'closed it, since its day had passed'), ('ended', 'took back what was granted, since its time was over')], max_length=10)),
                ('note', models.TextField(blank=True, default='')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='quotarequests.quotarequest')),
            ],
        ),
        migrations.CreateModel(
            name='ApprovalRule',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('most_added', models.PositiveBigIntegerField()),
                ('most_days', models.PositiveSmallIntegerField()),
                ('min_days_between', models.PositiveSmallIntegerField(default=0)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('tenant', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('type', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.resourcetype')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('type', 'tenant'), name='approvalrule_once', nulls_distinct=False)],
            },
        ),
        migrations.AddIndex(
            model_name='quotarequest',
            index=models.Index(fields=['tenant', '-created', '-id'], name='quotarequest_by_tenant'),
        ),
        migrations.AddIndex(
            model_name='quotarequest',
            index=models.Index(fields=['-created', '-id'], name='quotarequest_by_time'),
        ),
        migrations.AddIndex(
            model_name='quotarequest',
            index=models.Index(condition=models.Q(('state__in', ['asked_back', 'open'])), fields=['-created', '-id'], name='quotarequest_undecided'),
        ),
        migrations.AddIndex(
            model_name='quotarequest',
            index=models.Index(condition=models.Q(('granted_until__isnull', False), ('state', quotarequests.specs.RequestState['APPROVED'])), fields=['granted_until'], name='quotarequest_to_end'),
        ),
    ]
