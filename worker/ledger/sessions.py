"""The console's sessions and wrong passwords: kept in the ledger's Redis, so that every console knows them."""

import secrets
from dataclasses import dataclass
from hashlib import sha256

import orjson

from worker.ledger.keys import FORMS_KEY, SESSION_KEY, WRONG_KEY
from worker.ledger.ledger import Ledger

SESSION_S = 12 * 3600  # contract, section 10
MAX_WRONG = 5
WRONG_S = 60
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class StoredSession:
    """Who signed in, and a digest of what was set for that user then."""

    user: str
    fingerprint: str


class Sessions:
    """Sessions by the digest of their token: whoever reads Redis cannot take one over."""

    def __init__(self, ledger: Ledger) -> None:
        self._redis = ledger.redis

    async def begin(self, session: StoredSession, *, instead_of: str | None) -> str:
        """Begin a session and return its token; the one that the browser had before is over."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        async with self._redis.pipeline(transaction=True) as pipe:
            if instead_of:
                pipe.delete(_key(instead_of))
            pipe.set(_key(token), orjson.dumps([session.user, session.fingerprint]).decode(), ex=SESSION_S)
            await pipe.execute()
        return token

    async def find(self, token: str) -> StoredSession | None:
        """Return the session of a token; ``None`` when there is none, or no more."""
        text = await self._redis.get(_key(token))
        return StoredSession(*orjson.loads(text)) if text else None

    async def end(self, token: str) -> None:
        """End a session."""
        await self._redis.delete(_key(token))

    async def shared_secret(self) -> bytes:
        """Return the secret that all consoles sign their forms with; the first of them makes it."""
        await self._redis.set(FORMS_KEY, secrets.token_hex(_TOKEN_BYTES), nx=True)
        return str(await self._redis.get(FORMS_KEY)).encode()

    async def wait_s(self, *who: str) -> int:
        """Return how many seconds a name or an address has to wait after wrong passwords; 0: none."""
        waits = []
        for one in who:
            key = _wrong_key(one)
            if int(await self._redis.get(key) or 0) >= MAX_WRONG:
                waits.append(max(1, int(await self._redis.ttl(key))))
        return max(waits, default=0)

    async def wrong(self, *who: str) -> None:
        """Count a wrong password of a name and of an address; the minute begins anew with each."""
        async with self._redis.pipeline(transaction=True) as pipe:
            for one in who:
                pipe.incr(_wrong_key(one))
                pipe.expire(_wrong_key(one), WRONG_S)
            await pipe.execute()

    async def right(self, *who: str) -> None:
        """Forget the wrong passwords of a name that has given the right one."""
        await self._redis.delete(*map(_wrong_key, who))


def _key(token: str) -> str:
    return f"{SESSION_KEY}{sha256(token.encode()).hexdigest()}"


def _wrong_key(who: str) -> str:
    return f"{WRONG_KEY}{sha256(who.encode()).hexdigest()[:32]}"
