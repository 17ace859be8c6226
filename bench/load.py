"""A lean load generator: `python -m bench.load PORT PATH CONNECTIONS REQUESTS < body` prints `{seconds, milliseconds}`.

A process of its own, with kept connections, each of which sends its next request when its answer has come. It parses no
more of an answer than where it ends, so that what is measured is the server.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

import uvloop

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One connection; `ended` is told when there is nothing left to send."""

    def __init__(self, request: bytes, left: list[int], times: list[float], ended: asyncio.Future[None]) -> None:
        self._request, self._left, self._times, self._ended = request, left, times, ended
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if self._left[0] <= 0:
            self._transport.close()
            self._ended.set_result(None)
            return
        self._left[0] -= 1
        self._started = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._data += data
        head = self._data.find(b"\r\n\r\n")
        if head < 0 or len(self._data) < head + 4 + int(_LENGTH.search(self._data, 0, head)[1]):  # type: ignore[index]
            return
        assert self._data[9:11] == b"20", self._data[:2000]
        self._data = b""
        self._times.append((time.perf_counter() - self._started) * 1000)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(exc or ConnectionError("the server closed the connection"))


async def load(port: int, path: str, connections: int, requests: int, body: bytes) -> tuple[float, list[float]]:
    """Send so many requests over so many connections; the seconds that it took, and each one's milliseconds."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    loop = asyncio.get_running_loop()
    left, times = [requests], list[float]()
    started = time.perf_counter()
    ended = [loop.create_future() for _ in range(connections)]
    for each in ended:
        await loop.create_connection(lambda each=each: Connection(request, left, times, each), "127.0.0.1", port)
    await asyncio.gather(*ended)
    return time.perf_counter() - started, times


if __name__ == "__main__":
    port, path, connections, requests = sys.argv[1:]
    seconds, times = uvloop.run(load(int(port), path, int(connections), int(requests), sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps({"seconds": seconds, "milliseconds": times}))
