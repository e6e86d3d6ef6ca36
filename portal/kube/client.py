"""How to get at a cluster: from an identity's kubeconfig to a `Kube` or a `LogSource`.

The official library reads the kubeconfig, with all its ways to hold a token; it is heavy, so only connecting loads it.
What it would do with requests (models, endless timeouts, proxies from the environment) is left unused.
"""

import ssl
from base64 import b64encode
from functools import cache
from pathlib import Path

from portal import env
from portal.kube.credentials import Credentials, CredentialsFile
from portal.kube.errors import ClusterUnavailable
from portal.kube.gateway import Identity, Kube, LogSource
from portal.kube.logs import HttpLogSource
from portal.kube.rest import RestKube


@cache
def connect(identity: Identity) -> Kube:
    """Return the cluster seen by one of Berth's identities; one connection pool an identity and process.

    Never fails by itself: while the kubeconfig is missing, each call raises ClusterUnavailable.
    """
    return connect_file(_kubeconfig(identity))


def connect_logs() -> LogSource:
    """Return the source of container output; close it with `aclose`."""
    return HttpLogSource(credentials_file(_kubeconfig("logs")))


def connect_file(path: Path) -> RestKube:
    """Return the cluster that a kubeconfig names, for set-up and tests."""
    return RestKube(credentials_file(path))


def credentials_file(path: Path) -> CredentialsFile:
    """Return a kubeconfig that is read when needed and again when it changes."""
    return CredentialsFile(path, load_credentials)


def load_credentials(path: Path) -> Credentials:
    """Read a kubeconfig by the official library. Raises ClusterUnavailable when it makes no sense."""
    from kubernetes import client, config

    loaded = client.Configuration()
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(path), client_configuration=loaded, persist_config=False
        )
        context = _ssl_context(loaded) if loaded.host.startswith("https:") else None
        ca_data = b64encode(Path(loaded.ssl_ca_cert).read_bytes()).decode() if loaded.ssl_ca_cert else None
    except Exception as error:  # the library raises whatever it stumbles over in a broken file
        raise ClusterUnavailable(f"{path.name} is no usable kubeconfig ({type(error).__name__})") from error
    return Credentials(
        server=loaded.host.rstrip("/"),
        authorization=loaded.api_key.get("BearerToken"),
        ssl_context=context,
        tls_server_name=loaded.tls_server_name,
        ca_data=ca_data,
    )


def _ssl_context(loaded: object) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=getattr(loaded, "ssl_ca_cert", None))
    if not getattr(loaded, "verify_ssl", True):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    cert_file = getattr(loaded, "cert_file", None)
    if cert_file:
        context.load_cert_chain(cert_file, getattr(loaded, "key_file", None))
    return context


def _kubeconfig(identity: Identity) -> Path:
    return env.cluster_dir() / f"{identity}.kubeconfig"
