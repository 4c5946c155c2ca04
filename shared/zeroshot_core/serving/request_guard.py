"""What stands before a service: who may ask, how much, and how slowly."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from zeroshot_core.index.uri import HiddenText

__all__ = ["RequestGuard", "RequestLimits"]

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class RequestLimits:
    """What a client may ask of a service.

    Parameters
    ----------
    body
        Bytes of a request.
    seconds
        Within which a request must have come as a whole.
    """

    body: int = 1_000_000
    seconds: float = 10.0


class RequestGuard:
    """ASGI middleware that reads a request whole before the application sees it, or refuses it.

    Parameters
    ----------
    token
        What a client must send as ``Authorization: Bearer``; None lets everybody ask.
    public
        Paths that need none.
    note
        Is told path, status and seconds of each request.
    """

    def __init__(
        self,
        app: App,
        *,
        limits: RequestLimits,
        token: HiddenText | None = None,
        public: Collection[str] = (),
        note: Callable[[str, int, float], None] = lambda path, status, seconds: None,
    ) -> None:
        self._app, self._limits, self._public, self._note = app, limits, public, note
        self._token = token

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 499

        async def send_noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._answer(scope, receive, send_noted)
        finally:
            self._note(scope["path"], status, time.perf_counter() - start)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        if scope["path"] not in self._public and not self._is_known(headers.get(b"authorization", b"")):
            await _refuse(
                send, 401, "expected the service's token as Authorization: Bearer, got another or none"
            )
            return
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._limits.body:
            await self._refuse_large(send)
            return
        try:
            body = await asyncio.wait_for(self._body(receive), self._limits.seconds)
        except asyncio.TimeoutError:
            seconds = f"{self._limits.seconds:g}"
            await _refuse(
                send, 408, f"expected the whole request within {seconds} s, got a part; send it again"
            )
            return
        if body is None:
            return  # the client has left
        if len(body) > self._limits.body:
            await self._refuse_large(send)
            return
        is_given = False

        async def receive_again() -> Message:
            nonlocal is_given
            if is_given:
                return await receive()
            is_given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_again, send)

    async def _body(self, receive: Receive) -> bytes | None:
        """Read a body, of one that is too long a little more than may be; None if the client leaves."""
        body = bytearray()
        while len(body) <= self._limits.body:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        return bytes(body)

    async def _refuse_large(self, send: Send) -> None:
        await _refuse(
            send,
            413,
            f"expected at most {self._limits.body:,} bytes, got more; send fewer inputs, or smaller images",
        )

    def _is_known(self, given: bytes) -> bool:
        expected = None if self._token is None else self._token.get_secret_value()
        if expected is None:
            return True
        scheme, _, token = given.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), expected.encode())


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"detail": sentence}).encode()
    # What is left of the request is not read.
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
