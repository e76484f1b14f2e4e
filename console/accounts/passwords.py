"""Passwords: hashed in a worker, so that nobody else waits, and judged in the same time whether or not there is such an
account.

argon2id with 19 MiB, two passes, one lane (OWASP's second choice): 64 ms a try, and 16 that wait fit a small machine.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.errors import GatewayError

Result = TypeVar("Result")

SHORTEST, LONGEST = 12, 128  # characters
LEFT_WITHOUT_LOGIN = 8  # characters that must be left when the login is taken out
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
SALT_BYTES, HASH_BYTES = 16, 32
WAITING = 16  # hashings that wait for their turn
GIVEN_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read as something else
GIVEN_GROUPS, GIVEN_GROUP = 4, 4

# The commonest of twelve signs and more, as people type them here; compared without case and without what is no letter.
COMMONEST = frozenset(
    """
    123456789012 1234567890123 12345678901234 123456789123 123456789abc 123456123456 123123123123 012345678901
    0123456789ab 098765432109 987654321098 987654321012 111111111111 000000000000 112233445566 121212121212
    111222333444 password1234 password12345 password123456 passwordpassword 1234password qwertyuiop12 qwertyuiop123
    qwertyuiopas qwertyqwerty qwerty123456 1q2w3e4r5t6y 1qaz2wsx3edc 1qaz2wsx1qaz zaq12wsxcde3 asdfghjkl123
    asdfghjklqwe zxcvbnm12345 abcdefghijkl abcd12345678 abc123456789 abcabcabcabc aaaaaaaaaaaa administrator
    administrator1 admin1234567 admin12345678 adminadminadmin admin123admin123 welcome12345 letmein12345 iloveyou1234
    iloveyouiloveyou changeme1234 changemechangeme superadmin123 matkhau12345 matkhau123456 matkhau1234567
    matkhaumatkhau motcuadientu motcua123456 hanhchinhcong dichvucong123 soctrang1234 soctrang12345 soctrang123456
    cantho123456 cantho1234567 vietnam12345 vietnam123456 vietnamvietnam anhyeuem1234 anhyeuem123456 emyeuanh123456
    """.split()  # noqa: SIM905 - as a list it fills a page
)


class HasherBusy(GatewayError):
    """So many sign in at once that another would wait too long; to be tried again."""


class Hasher:
    """argon2 in threads of its own (the C code lets go of the interpreter). `close` waits for what runs. `memory_kib` is
    less in tests only.
    """

    __slots__ = ("_hasher", "_nobodys", "_taken", "_waiting", "_workers")

    def __init__(self, *, workers: int = 1, waiting: int = WAITING, memory_kib: int = MEMORY_KIB) -> None:
        self._hasher = PasswordHasher(
            time_cost=PASSES, memory_cost=memory_kib, parallelism=LANES, hash_len=HASH_BYTES, salt_len=SALT_BYTES
        )
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="argon2")
        self._waiting = waiting
        self._taken = 0
        self._nobodys = _nobodys_hash(memory_kib)

    async def hash(self, password: str) -> str:
        """Raises HasherBusy."""
        return await self._run(lambda: self._hasher.hash(normal(password)))

    async def verify(self, kept: str | None, typed: str) -> bool:
        """Whether that is the password. `kept` None: nobody's, which takes as long and is never right.

        Raises:
            HasherBusy: nothing was judged.
        """
        of_somebody = await self._run(lambda: self._verify(kept or self._nobodys, normal(typed)))
        return of_somebody and kept is not None

    @property
    def full(self) -> bool:
        """Another would be refused."""
        return self._taken >= self._waiting

    def outdated(self, kept: str) -> bool:
        """It was made with other parameters than these."""
        return self._hasher.check_needs_rehash(kept)

    async def close(self) -> None:
        await asyncio.to_thread(self._workers.shutdown)

    def _verify(self, kept: str, typed: str) -> bool:
        try:
            return self._hasher.verify(kept, typed)
        except (VerificationError, InvalidHashError):  # a wrong password; or what is kept is none, which opens nothing
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self.full:
            raise HasherBusy("too many passwords are being judged")
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._workers, work)
        finally:
            self._taken -= 1


def _nobodys_hash(memory_kib: int) -> str:
    """Of these parameters; nobody knows a password of it, nor is there one."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (SALT_BYTES, HASH_BYTES)
    )
    return f"$argon2id$v=19$m={memory_kib},t={PASSES},p={LANES}${salt}${digest}"


def normal(typed: str) -> str:
    """The same however a keyboard composes its accents (NIST SP 800-63B 3.1.1.2); never longer than is hashed."""
    return unicodedata.normalize("NFKC", typed)[: LONGEST + 1]


def fault(password: str, *, login: str, present: str = "") -> str | None:
    """What is wrong with a new password, a name under [password_fault] in the texts; None: nothing. No rule asks for
    signs of several kinds (NIST SP 800-63B 3.1.1.2: they make nothing stronger).
    """
    wanted = normal(password)
    plain = "".join(character for character in wanted.casefold() if character.isalnum())
    bare_login = "".join(character for character in login.casefold() if character.isalnum())
    faults = {
        "short": len(wanted) < SHORTEST,
        "long": len(wanted) > LONGEST,
        "login": len(plain.replace(bare_login, "")) < LEFT_WITHOUT_LOGIN if bare_login in plain else False,
        "common": plain in COMMONEST or len(set(plain)) < 3,  # noqa: PLR2004 - one or two signs, repeated
        "same": bool(present) and wanted == normal(present),
    }
    return next((name for name, wrong in faults.items() if wrong), None)


def one_time_password() -> str:
    """To be read out or copied once: `k7mq-x2vd-hhta-9wpe`, 79 bits."""
    groups = ("".join(secrets.choice(GIVEN_ALPHABET) for _ in range(GIVEN_GROUP)) for _ in range(GIVEN_GROUPS))
    return "-".join(groups)
