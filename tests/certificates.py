"""Certificate authorities and certificates for 127.0.0.1, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(folder: Path, name: str) -> Path:
    """A certificate authority; returns its certificate, whose key lies beside it."""
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    certificate = folder / f"{name}.pem"
    openssl(*new, "-keyout", folder / f"{name}.key", "-out", certificate, "-subj", f"/CN={name}")
    return certificate


def signed(folder: Path, name: str, by: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    key, request, certificate = (folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
    extensions = folder / "extensions"
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(*new, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    made = ("-out", certificate, "-extfile", extensions, "-CAcreateserial")
    openssl("x509", "-req", "-in", request, "-CA", by, "-CAkey", by.with_suffix(".key"), *made)
    return certificate, key
