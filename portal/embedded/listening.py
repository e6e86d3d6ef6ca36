"""The portal's listening socket: bound before anything starts, handed to the web process, kept over its restarts."""

import errno
import http.client
import socket

from portal.embedded.errors import StartError

HOST = "127.0.0.1"
_BACKLOG = 2048
_PROBE_TIMEOUT_S = 0.5


def bind(port: int) -> socket.socket:
    """Return a socket that listens on the loopback address; raises StartError, naming the port, where it cannot."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        raise StartError(_why(port, exc)) from exc
    except OverflowError as exc:
        listener.close()
        raise StartError(f"{port} is no port: choose one from 1024 to 65535 with --port.") from exc
    return listener


def answers(port: int) -> bool:
    """Say whether the portal's own check page answers, with whatever status."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _why(port: int, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"Port {port} is taken by another program: stop that one, or choose another port with --port."
    if exc.errno == errno.EACCES:
        return f"Port {port} may not be used by this account: choose one above 1023 with --port."
    return f"Port {port} cannot be used ({exc.strerror}): choose another with --port."
