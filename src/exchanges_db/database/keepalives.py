"""The options of libpq by which the operating system notices that the other end of a connection is gone."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from exchanges_db.database.session import Session
from exchanges_db.errors import ConfigurationError

# Not every system has each of them.
_BY_OPTION = {
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
    "tcp_user_timeout": "TCP_USER_TIMEOUT",
}


def set_keepalives(session: Session, options: Mapping[str, str]) -> None:
    """Set them on the connection's socket; as in libpq, keepalives are on unless `keepalives` is 0.

    Raises:
        ConfigurationError: the system refuses a value; the connection is ended.
    """
    raw = session._transport.get_extra_info("socket")  # noqa: SLF001 - asyncpg shows it nowhere
    if raw is None or raw.family not in (socket.AF_INET, socket.AF_INET6):
        return
    on = options.get("keepalives", "1") != "0"
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, on)
    for option, constant in _BY_OPTION.items():
        value = int(options.get(option, "0"))  # 0 means the system's own
        if value and (on or option == "tcp_user_timeout") and hasattr(socket, constant):
            try:
                raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, constant), value)
            except OSError as exc:
                session.terminate()
                raise ConfigurationError(f"{option} in DATABASE_URL is refused by this system: {exc.strerror}") from exc
