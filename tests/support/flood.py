"""More requests than anybody needs."""

import re
import socket
from collections import Counter


def flood(host: str, port: int, path: str, n_requests: int, cookies: str = "") -> Counter[int]:
    """Ask for ``path`` so many times in one go: how often each status came."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookies}\r\n".encode()
    answers = b""
    with socket.create_connection((host, port), timeout=60) as connection:
        connection.sendall((n_requests - 1) * (request + b"\r\n") + request + b"Connection: close\r\n\r\n")
        while piece := connection.recv(1 << 20):
            answers += piece
    found = Counter(int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", answers))
    assert found[429] == answers.count(b"retry-after: 1")
    return found
