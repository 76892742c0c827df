"""The TLS that a Dsn asks for: contexts that check what its sslmode says, from the files that it names."""

from __future__ import annotations

import functools
import os
import ssl
import stat
from pathlib import Path

from exchanges_db.database.secret import Secret, without_frames
from exchanges_db.errors import ConfigurationError

SYSTEM = "system"  # an sslrootcert that means the authorities which this machine trusts
FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_Files = tuple[tuple[str, str], ...]


def default_files(home: Path) -> dict[str, str]:
    """Return the files that libpq uses where none are named: those of ~/.postgresql that exist.

    A home that this user may not enter has none, as for libpq: a service often runs without a home of its own.
    """
    folder = home / ".postgresql"
    names = {"sslrootcert": "root.crt", "sslcrl": "root.crl", "sslcert": "postgresql.crt", "sslkey": "postgresql.key"}
    found = {option: str(folder / name) for option, name in names.items()}
    # Path.is_file() raises PermissionError before Python 3.14.
    return {option: path for option, path in found.items() if os.path.isfile(path)}  # noqa: PTH113 - see above


def tls_context(
    mode: str, files: dict[str, str], password: Secret | None, versions: tuple[str | None, str | None]
) -> ssl.SSLContext:
    """Return the context for an sslmode other than `disable`; the same one until one of its files changes.

    versions: the least and the greatest version of TLS.

    Raises:
        ConfigurationError: a file is missing, unusable, or a key that others can read.
    """
    named = tuple(sorted(files.items()))
    stamps = tuple(_stamp(path) for option, path in named if path != SYSTEM and option in FILES)
    try:
        return _context(mode, named, stamps, password, versions)
    except (OSError, ValueError) as exc:
        # The cause is OpenSSL's word on the file; its frames hold the key's password.
        raise ConfigurationError("a certificate file named in DATABASE_URL cannot be used") from without_frames(exc)


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        found = Path(path).stat()
    except OSError as exc:
        raise ConfigurationError(f"a certificate file named in DATABASE_URL cannot be used: {path!r}") from exc
    if not stat.S_ISREG(found.st_mode):  # a pipe would hang whoever opens it
        raise ConfigurationError(f"a certificate file named in DATABASE_URL is no plain file: {path!r}")
    return path, found.st_mtime_ns, found.st_size


@functools.lru_cache(maxsize=16)
def _context(
    mode: str,
    named: _Files,
    stamps: tuple[object, ...],  # part of the cache's key: a renewed file is read again
    password: Secret | None,
    versions: tuple[str | None, str | None],
) -> ssl.SSLContext:
    files = dict(named)
    roots = files.get("sslrootcert")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As in libpq: whoever names a certificate authority wants it used, whatever the mode.
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if roots or mode.startswith("verify") else ssl.CERT_NONE
    if roots == SYSTEM or (roots is None and mode.startswith("verify")):
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    elif roots is not None:
        context.load_verify_locations(cafile=roots)
    if "sslcrl" in files:
        context.load_verify_locations(cafile=files["sslcrl"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    if "sslcert" in files:
        key = files.get("sslkey")
        if key is not None:
            _refuse_open_key(key)
        context.load_cert_chain(files["sslcert"], key, password=_no_password if password is None else password.reveal)
    least, greatest = versions
    context.minimum_version = _VERSIONS[least or "TLSv1.2"]
    if greatest is not None:
        context.maximum_version = _VERSIONS[greatest]
    context.set_alpn_protocols(["postgresql"])  # PostgreSQL 17 and newer demand it of direct connections
    return context


def _no_password() -> str:
    return ""  # OpenSSL would ask on the terminal


def _refuse_open_key(path: str) -> None:
    found = Path(path).stat()
    # As libpq: a key of root's may be readable by a group, any other by its owner alone.
    forbidden = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO if found.st_uid == 0 else stat.S_IRWXG | stat.S_IRWXO
    if os.name != "nt" and found.st_mode & forbidden:
        raise ConfigurationError(f"others can read the key {path!r}, so it is not used: chmod 600")
