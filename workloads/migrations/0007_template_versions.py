"""What was one row a version becomes a template with versions; workloads point at what they came of."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def group_versions(apps, schema_editor):
    """Make one template of each slug, with the newest version as the current one unless another was marked."""
    Template = apps.get_model("workloads", "Template")
    TemplateVersion = apps.get_model("workloads", "TemplateVersion")
    Workload = apps.get_model("workloads", "Workload")
    made = {}
    for version in TemplateVersion.objects.order_by("slug", "number"):
        key = (version.tenant_id, version.slug)
        if key not in made:
            made[key] = Template.objects.create(
                slug=version.slug,
                tenant_id=version.tenant_id,
                visibility="tenant" if version.tenant_id else "public",
                created=version.created,
            )
        template = made[key]
        TemplateVersion.objects.filter(pk=version.pk).update(template=template, shipped=version.tenant_id is None)
        if template.current_id is None or version.is_current:
            template.current_id, template.position = version.pk, version.position
            template.save()
    for (tenant_id, slug), template in made.items():
        from_it = Workload.objects.filter(template=slug)
        if tenant_id is None:
            own = [tenant for tenant, other in made if other == slug and tenant]
            from_it = from_it.exclude(tenant_id__in=own)
        else:
            from_it = from_it.filter(tenant_id=tenant_id)
        from_it.update(made_from=template)


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0001_initial'),
        ('workloads', '0006_shown_work_indexes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='template', name='template_version'),
        migrations.RenameModel('Template', 'TemplateVersion'),
        migrations.AlterField(
            model_name='templateversion',
            name='tenant',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
        migrations.RenameField('templateversion', 'version', 'number'),
        migrations.RenameField('templateversion', 'current', 'is_current'),
        migrations.CreateModel(
            name='Template',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('slug', models.SlugField(max_length=60)),
                ('visibility', models.CharField(choices=[('own', 'Only me'), ('tenant', 'The tenant'), ('public', 'Everyone')], default='own', max_length=6)),
                ('position', models.PositiveSmallIntegerField(default=100)),
                ('archived_at', models.DateTimeField(blank=True, null=True)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('current', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workloads.templateversion')),
                ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='templates', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='templates', to='tenants.tenant')),
            ],
        ),
        migrations.AddField(
            model_name='templateversion',
            name='template',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='workloads.template'),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='author',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField('templateversion', 'note', models.CharField(blank=True, default='', max_length=200)),
        migrations.AddField('templateversion', 'shipped', models.BooleanField(default=False)),
        migrations.AddField(
            model_name='workload',
            name='made_from',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='workloads', to='workloads.template'),
        ),
        migrations.RunPython(group_versions),
        migrations.RunSQL('SET CONSTRAINTS ALL IMMEDIATE'),  # else the tables cannot be altered after the updates
        migrations.AlterField(
            model_name='templateversion',
            name='template',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='workloads.template'),
        ),
        migrations.RemoveField('templateversion', 'slug'),
        migrations.RemoveField('templateversion', 'tenant'),
        migrations.RemoveField('templateversion', 'position'),
        migrations.RemoveField('templateversion', 'is_current'),
        migrations.AddConstraint(
            model_name='template',
            constraint=models.UniqueConstraint(fields=('tenant', 'slug'), name='template_slug', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.UniqueConstraint(fields=('template', 'number'), name='templateversion_number'),
        ),
        migrations.AddIndex(
            model_name='workload',
            index=models.Index(condition=models.Q(('made_from__isnull', False)), fields=['made_from', 'tenant', '-created'], name='workload_by_template'),
        ),
    ]
