"""Settings, read once from the environment (README, "Settings"); a bad value stops the start."""

from __future__ import annotations

import os
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from mlworker import storage
from webapp import secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# --- Where things are kept ---------------------------------------------------------------------
DATA_DIR = Path(env("DATA_DIR", default=str(BASE_DIR / "data"))).resolve()
os.environ["DATA_DIR"] = str(DATA_DIR)  # so that ML code run in this process finds the same
try:
    MEDIA_ROOT = storage.root()
except ValueError as error:
    raise ImproperlyConfigured(str(error)) from error

# --- Who may do what ---------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="") or secret_key.read_or_make(DATA_DIR / "secret_key")
if len(SECRET_KEY) < 40:
    raise ImproperlyConfigured("SECRET_KEY needs at least 40 characters; leave it out to have one.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured("ALLOWED_HOSTS=* lets anyone pose as this site; name the hosts.")
AUTH_USER_MODEL = "annotator.User"
AUTHENTICATION_BACKENDS = ["annotator.sessions.Backend"]
SESSION_ENGINE = "annotator.sessions"
LOGIN_URL = "annotator:sign_in"
LOGIN_REDIRECT_URL = "annotator:projects"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]

# --- The application ---------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "drf_spectacular",
    "rest_framework",
    "template_partials",
    "annotator",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "webapp.urls"
WSGI_APPLICATION = "webapp.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database ----------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'spanlight.sqlite3'}"),
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["ENGINE"] = "webapp.sqlite3"
    # IMMEDIATE, because a transaction that reads first and writes later fails under WAL as soon
    # as two processes do it at once. FULL, because "saved" means on disk.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    # Kept open: the last to close one writes the whole log back into the file, ten fsyncs that
    # would come after every request.
    DATABASES["default"].setdefault("CONN_MAX_AGE", None)
else:
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# --- Language, time, files ---------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("en-au", "English (Australia)"),
    ("en-ca", "English (Canada)"),
    ("en-gb", "English (United Kingdom)"),
    ("en-ie", "English (Ireland)"),
]
"""The browser's language chooses among these, so dates are written as its reader does. A language
belongs here only once the whole interface speaks it: Django's own words alone would be half of it,
and numbers in attributes (`<meter value>`) must be kept from its decimal comma first."""
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = env("STATIC_ROOT", default=str(DATA_DIR / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "webapp.static_files.Storage"},
}
UPLOAD_LIMIT = env.int("UPLOAD_LIMIT", default=200_000_000)
FILE_UPLOAD_MAX_MEMORY_SIZE = 5_000_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000

# --- Browser rules -----------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
HTTPS = env.bool("HTTPS", default=False)
"""Set where a proxy ends TLS in front of Spanlight: cookies and redirects then insist on it."""
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked from inside, where nothing speaks TLS
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

# --- REST API ----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["annotator.api.incoming.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "annotator.api.pages.Pages",
    "EXCEPTION_HANDLER": "annotator.api.errors.answer",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Spanlight",
    "DESCRIPTION": "Named-entity annotation that knows what it is unsure of.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
}

# --- The loop ----------------------------------------------------------------------------------
CHUNK_DOCUMENTS = env.int("CHUNK_DOCUMENTS", default=64)
CHUNK_QUESTIONS = env.int("CHUNK_QUESTIONS", default=12)
CHUNK_SENTENCES = env.int("CHUNK_SENTENCES", default=10)
CHUNK_LEASE_SECONDS = env.int("CHUNK_LEASE_SECONDS", default=120)
"""How long a chunk may go without a sign of life before the sweeper sends it again."""
SWEEP_SECONDS = env.float("SWEEP_SECONDS", default=10)
LLM_BASE_URL = env("LLM_BASE_URL", default="")
"""The LLM that projects may be allowed to ask; its key, LLM_API_KEY, only the worker reads."""
LLM_MODEL = env("LLM_MODEL", default="")
LLM_FOLDER = env("LLM_FOLDER", default="").strip()
"""The chat model that the GPU worker runs itself; the web process needs no more than its name."""
LLM_CURRENCY = env("LLM_CURRENCY", default="USD")
"""In which prices and budgets are stated; a name, nothing is converted."""
LLM_CONCURRENCY = env.int("LLM_CONCURRENCY", default=4)
"""How many requests to it may be under way at once, over all projects."""
if LLM_CONCURRENCY < 1:
    raise ImproperlyConfigured("LLM_CONCURRENCY must be at least 1: with none nothing is asked.")
if LLM_BASE_URL and not (LLM_BASE_URL.startswith(("http://", "https://")) and LLM_MODEL):
    raise ImproperlyConfigured(
        "LLM_BASE_URL must be an http:// or https:// address, and LLM_MODEL name a model there."
    )
if LLM_FOLDER and not 0 < len(Path(LLM_FOLDER).name.strip(".")) <= 100:
    raise ImproperlyConfigured(
        "LLM_FOLDER must end in the model's name, of at most 100 characters."
    )

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"annotator": {"level": "INFO"}, "django.request": {"level": "ERROR"}},
}
