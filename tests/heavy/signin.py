"""Signs in over HTTP as a browser does. Cookies are kept by hand: the portal's are Secure, and loopback is plain."""

import http.client
import re
from urllib.parse import urlencode


class Visitor:
    """One browser session on one portal."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookies: dict[str, str] = {}

    def request(self, method: str, path: str, *, form: dict[str, str] | None = None) -> tuple[int, str]:
        """Return status and text of one request, without following redirects. Raises OSError while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "Origin": f"http://127.0.0.1:{self._port}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        try:
            connection.request(method, path, body=urlencode(form) if form else None, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";", 1)[0].partition("=")
            self._cookies[name] = value
        return answer.status, text

    def sign_in(self, username: str, password: str) -> None:
        """Sign in through the form; fails where the portal does not take the account."""
        _, page = self.request("GET", "/accounts/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page[:500]
        form = {"csrfmiddlewaretoken": token[1], "login": username, "password": password}
        status, page = self.request("POST", "/accounts/login/", form=form)
        assert status == 302, f"signing in gave {status}: {page[:500]}"
