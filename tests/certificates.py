"""Certificates as servers show them: good ones, and each kind that a client must refuse."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_NAMES = "subjectAltName=DNS:localhost,DNS:db.example,IP:127.0.0.1"


class Certificates:
    """A folder with two authorities and what they issue.

    Attributes:
        authority: the file of the one that clients trust.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl here to make certificates with")
        self._folder = folder
        self.authority = self._self_signed("authority")
        other = self._self_signed("other")
        self._self_signed("self-signed", "-addext", _NAMES)
        self._issued("good", self.authority)
        self._issued("wrong-host", self.authority, names="subjectAltName=DNS:elsewhere.example")
        self._issued("expired", self.authority, days=-1)
        self._issued("other-authority", other)

    def shown(self, name: str) -> ssl.SSLContext:
        """Return what a server needs to show the certificate of that name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        return context

    def _self_signed(self, name: str, *options: str) -> Path:
        made = self._folder / f"{name}.crt"
        key = made.with_suffix(".key")
        self._openssl(
            "req", "-x509", *_EC, "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", made, *options
        )
        return made

    def _issued(self, name: str, authority: Path, *, names: str = _NAMES, days: int = 2) -> None:
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(names)
        self._openssl("req", *_EC, "-subj", f"/CN={name}", "-keyout", self._folder / f"{name}.key", "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority.with_suffix(".key"),
                      "-CAcreateserial", "-days", str(days), "-extfile", extensions,
                      "-out", self._folder / f"{name}.crt")  # fmt: skip

    @staticmethod
    def _openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
