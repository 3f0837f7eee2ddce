"""The console's access: passwords, sessions, the proxy that names a user, and tokens against forged forms."""

import asyncio
import hmac
import secrets
from dataclasses import dataclass, replace
from hashlib import sha256
from ipaddress import ip_address
from time import monotonic
from typing import Final

from aiohttp import BasicAuth, web
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from worker.config.console import ConsoleSettings, ConsoleUser
from worker.config.values import is_loopback
from worker.ledger.sessions import SESSION_S, Sessions, StoredSession

COOKIE: Final = "switchboard"
LOCAL = ConsoleUser(name="local", password="", role="operator", destinations=None)
"""Whoever is at this machine, while no users are set up."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # argon2id; 19 MB and some 30 ms a check
_NOBODY = _HASHER.hash("no such user: the answer takes as long as for a user that there is")
_MAX_PASSWORD = 1024
_REMEMBERED_S = 60.0  # a name and a password that were right are not hashed again meanwhile
_REMEMBERED = 100
_FORWARDED = ("forwarded", "via", "x-forwarded", "x-real-ip", "x-original")


@dataclass(frozen=True, slots=True)
class Visitor:
    """The user of a request, and the token that its forms carry."""

    user: ConsoleUser
    form_token: str
    by_basic: bool = False

    @property
    def may_act(self) -> bool:
        """Return whether the user may change anything."""
        return self.user.role == "operator"


class LoginRefused(Exception):
    """Raised for a wrong name or password, or while one has to wait; its text is for the user."""

    def __init__(self, text: str, *, wait_s: int = 0) -> None:
        super().__init__(text)
        self.wait_s = wait_s


def hash_password(password: str) -> str:
    """Return the argon2id hash that stands in ``console.users``."""
    return _HASHER.hash(password)


class Access:
    """Knows every visitor of one console.

    The secret that forms are signed with is read from the ledger when it is first needed: the console starts without
    Redis, too.
    """

    def __init__(self, *, settings: ConsoleSettings, sessions: Sessions, host: str) -> None:
        self._settings = settings
        self._sessions = sessions
        self._secret = b""
        self._secure = not is_loopback(host)
        self._checking = asyncio.Lock()
        self._remembering_key = secrets.token_bytes(32)
        self._right: dict[bytes, float] = {}

    @property
    def signs_in(self) -> bool:
        """Return whether there is a page to sign in at."""
        return bool(self._settings.users) and self._settings.trusted_header is None

    async def visitor(self, request: web.Request) -> Visitor | None:
        """Return the visitor; ``None`` for one who must sign in, or whom the proxy does not name."""
        if not self._settings.users:
            return await self._visitor(LOCAL, "local") if _is_local(request) else None
        if self._settings.trusted_header is not None:
            return await self._named_by_proxy(request)
        if request.headers.get("Authorization", "").lower().startswith("basic "):
            return await self._by_basic(request)
        token = request.cookies.get(COOKIE, "")
        session = await self._sessions.find(token) if token else None
        user = self._settings.users.get(session.user) if session else None
        if session is None or user is None or not hmac.compare_digest(session.fingerprint, user.fingerprint):
            return None
        return await self._visitor(user, token)

    async def sign_in(self, request: web.Request, name: str, password: str) -> str:
        """Check a password and return the token of the new session; raises ``LoginRefused``."""
        user = await self._checked(name, password, request.remote or "")
        return await self._sessions.begin(
            StoredSession(user.name, user.fingerprint), instead_of=request.cookies.get(COOKIE)
        )

    async def sign_out(self, request: web.Request, response: web.StreamResponse) -> None:
        """End the session of a request."""
        if token := request.cookies.get(COOKIE, ""):
            await self._sessions.end(token)
        response.del_cookie(COOKIE, path="/")

    def keep(self, request: web.Request, response: web.StreamResponse, token: str) -> None:
        """Set the session's cookie; beyond this machine only over TLS."""
        secure = self._secure or not is_loopback(request.url.host or "")
        response.set_cookie(COOKIE, token, max_age=SESSION_S, path="/", httponly=True, samesite="Strict", secure=secure)

    def is_genuine(self, visitor: Visitor, presented: str) -> bool:
        """Return whether a page of ours asks for a change; Basic alone is enough, for we never ask a browser for it."""
        return visitor.by_basic or hmac.compare_digest(presented.encode(), visitor.form_token.encode())

    async def _visitor(self, user: ConsoleUser, bound_to: str) -> Visitor:
        self._secret = self._secret or await self._sessions.shared_secret()
        return Visitor(user, hmac.new(self._secret, f"{user.name}\0{bound_to}".encode(), sha256).hexdigest())

    async def _named_by_proxy(self, request: web.Request) -> Visitor | None:
        header = self._settings.trusted_header or ""
        try:
            peer = ip_address(request.transport.get_extra_info("peername")[0]) if request.transport else None
        except (TypeError, ValueError, IndexError):
            peer = None
        names = request.headers.getall(header, [])
        if peer is None or len(names) != 1 or not any(peer in network for network in self._settings.proxy_networks):
            return None
        user = self._settings.users.get(names[0].strip())
        return await self._visitor(user, "proxy") if user else None

    async def _by_basic(self, request: web.Request) -> Visitor | None:
        try:
            given = BasicAuth.decode(request.headers["Authorization"], encoding="utf-8")
            user = await self._checked(given.login, given.password, request.remote or "")
        except (ValueError, LoginRefused):
            return None
        return replace(await self._visitor(user, "basic"), by_basic=True)

    async def _checked(self, name: str, password: str, address: str) -> ConsoleUser:
        """Return the user whose password this is; five wrong ones of a name or an address wait a minute.

        One is checked at a time, so that a crowd of guesses at once gets no more than five, nor much memory.
        """
        user, now = self._settings.users.get(name), monotonic()
        known = hmac.digest(self._remembering_key, f"{name}\0{password}".encode("utf-8", "replace"), "sha256")
        if user is not None and self._right.get(known, 0.0) > now:
            return user
        who = (f"name {name[:100]}", f"address {address}")
        async with self._checking:
            if wait_s := await self._sessions.wait_s(*who):
                raise LoginRefused(f"Too many wrong passwords. Try again in {wait_s} s.", wait_s=wait_s)
            hashed = user.password if user and user.password else _NOBODY
            right = await asyncio.to_thread(_verify, hashed, password[:_MAX_PASSWORD])
            if user is None or not right or not user.password:
                await self._sessions.wrong(*who)
                raise LoginRefused("That name and password do not belong together.")
            await self._sessions.right(who[0])
        if len(self._right) >= _REMEMBERED:
            self._right.clear()
        self._right[known] = now + _REMEMBERED_S
        return user


def _verify(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def _is_local(request: web.Request) -> bool:
    """Return whether a request comes from this machine and was meant for it.

    A proxy on this machine passes on requests of others, and a page of somebody else can reach this port under a name
    of its own (DNS rebinding).
    """
    passed_on = any(name.lower().startswith(_FORWARDED) for name in request.headers)
    return not passed_on and is_loopback(request.remote or "") and is_loopback(request.url.host or "")
