"""An app that answers 500 to everything, with words in the body that a person should get to read."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Fail, as it was told."""
        body = b"this app fails, as it was told\n"
        self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet: the last lines are the test's own."""


HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
