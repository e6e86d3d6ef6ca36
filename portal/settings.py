"""Django settings: one file, driven by environment variables (see `portal.env` and docs/operators/settings.md)."""

from pathlib import Path

import structlog
from django.utils.translation import gettext_lazy as _
from whitenoise.compress import Compressor

from portal import env
from portal.core.logs import SHARED_PROCESSORS

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.data_dir()
CLUSTER_DIR = env.cluster_dir()
NODE = env.text("BERTH_NODE")  # what runs the pods of the embedded cluster: see portal.embedded.nodechoice

DEBUG = env.flag("BERTH_DEBUG")
PUBLIC_ADDRESS = env.public_address()


def _secret_key() -> str:
    if key := env.text("BERTH_SECRET_KEY"):
        return key
    key_file = env.path("BERTH_SECRET_KEY_FILE", DATA_DIR / "secret.key")
    # Without a key only commands that sign nothing may run (makemigrations, check, the supervisor itself).
    return key_file.read_text().strip() if key_file.exists() else ""


SECRET_KEY = _secret_key() or "unset: only for commands that sign nothing"
ALLOWED_HOSTS = [PUBLIC_ADDRESS.hostname, "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_ADDRESS.url]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.usersessions",
    "channels",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "portal.core",
    "portal.live",
    "portal.notices",
    "portal.embedded",
    "portal.web",
    "tenants",
    "gpu",
    "workloads",
    "quotarequests",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "portal.web.middleware.RequestIdMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.web.middleware.UserPreferencesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.web.middleware.FaultMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.context.shell",
            ],
        },
    }
]
FORM_RENDERER = "portal.core.forms.BerthRenderer"

DATABASES = {
    "default": {
        **env.database(env.text("DATABASE_URL", "postgresql://berth@/berth?host=/run/berth")),
        # Each request of the ASGI server has a thread of its own: connections live in a pool, not in threads.
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": False,
    }
}
DATABASES["default"]["OPTIONS"] |= {
    "pool": {"min_size": 0, "max_size": env.integer("BERTH_DB_POOL", 8), "timeout": 5.0, "max_idle": 60.0},
    "connect_timeout": 5,
    "application_name": "berth",
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOG_RETENTION_DAYS = env.days("BERTH_LOG_DAYS", 30)
"""How long a log is kept after its workload ended; 0 keeps it for ever."""

QUOTA_HISTORY_DAYS = env.days("BERTH_QUOTA_HISTORY_DAYS", 400)
"""How long the hours of the quota ledger's history are kept; 0 keeps them for ever."""

NOTIFY_URLS = [url.strip() for url in env.text("BERTH_NOTIFY_URLS").split(",") if url.strip()]
"""Where messages go beside the portal's own pages, as Apprise spells it. They hold secrets."""

REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 1},
    }
}

CELERY_BROKER_URL = env.celery_broker(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 5, "socket_keepalive": True}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "seal the audit trail": {"task": "portal.core.tasks.seal_audit", "schedule": 300.0, "options": {"expires": 300.0}},
    "send notices": {"task": "portal.notices.tasks.send_notices", "schedule": 60.0, "options": {"expires": 60.0}},
    "forget old notices": {"task": "portal.notices.tasks.forget_notices", "schedule": 3600.0},
    "end quota grants": {"task": "quotarequests.tasks.sweep_grants", "schedule": 60.0, "options": {"expires": 60.0}},
    "sample the ledger": {"task": "tenants.tasks.sample_quota", "schedule": 300.0, "options": {"expires": 300.0}},
    "check the ledger": {"task": "workloads.tasks.check_ledger", "schedule": 60.0, "options": {"expires": 60.0}},
}

AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "portal.web.accounts.AccountAdapter"
ACCOUNT_FORMS = {"login": "portal.web.accounts.SignInForm", "change_password": "portal.web.accounts.PasswordForm"}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]  # offered: complete, see `just messages`
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
# Source maps are for developers: compressing megabytes of them would hold up every first start.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # `up` collects the files once (hashed names, cached for ever); without that the finders serve them as they are.
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if (STATIC_ROOT / "staticfiles.json").exists()
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
# Pages ask for hashed names alone, so the plain copies need no compressing either.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

# Plain http is refused but on loopback, which browsers take for secure: so cookies are the same everywhere.
SESSION_COOKIE_NAME = "__Host-berth-session"
CSRF_COOKIE_NAME = "__Host-berth-csrf"
LANGUAGE_COOKIE_NAME = "berth-language"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# An https address means a proxy in front that says by X-Forwarded-Proto how people came: we listen on loopback only.
SECURE_SSL_REDIRECT = SECURE_HSTS_INCLUDE_SUBDOMAINS = PUBLIC_ADDRESS.is_https
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if PUBLIC_ADDRESS.is_https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PUBLIC_ADDRESS.is_https else None
# Preloading commits a whole domain for years: its owner may do that at the proxy, not a program that lives on it.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

# `portal.core.api.views.ApiView` names who authenticates, permits, throttles and parses.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "portal.core.api.schema.ApiSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "portal.core.api.faults.ApiExceptionHandler",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Berth",
    "DESCRIPTION": "Everything that the pages do, for programs. See docs/api.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "PriorityEnum": "tenants.api.shapes.PRIORITIES",
        "StateEnum": "workloads.api.shapes.STATES",
        "QuotaRequestStateEnum": "quotarequests.specs.RequestState",
    },
}
API_REQUESTS_PER_MINUTE = env.integer("BERTH_API_REQUESTS_PER_MINUTE", 1200)
API_FAILED_TOKENS_PER_MINUTE = env.integer("BERTH_API_FAILED_TOKENS_PER_MINUTE", 30)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "structlog.stdlib.ProcessorFormatter",
            "foreign_pre_chain": SHARED_PROCESSORS,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer()
                if env.flag("BERTH_LOG_JSON")
                else structlog.processors.LogfmtRenderer(),
            ],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env.text("BERTH_LOG_LEVEL", "INFO")},
    "loggers": {
        "urllib3": {"level": "ERROR"},
        "django.request": {"level": "ERROR"},
        "kombu": {"level": "WARNING"},
        "amqp": {"level": "WARNING"},
        "apprise": {"level": "CRITICAL"},  # it may speak of addresses, which hold secrets
    },
}
