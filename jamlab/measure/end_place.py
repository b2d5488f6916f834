"""Where the process of an end runs: what it does before it does anything else.

These are called in the new process and pickled on their way, so they are light, and the server that
forks those processes has imported them.
"""

import os
from dataclasses import dataclass

from jamlab.networks.kernel.lab import KernelHost

TRUSTED_VARIABLE = "SSL_CERT_FILE"
"""Where OpenSSL looks for the certificates that it trusts."""


def here() -> None:
    """Stay where the server is."""


@dataclass(frozen=True)
class OnHost:
    """On a machine of a lab, and of the opinion that a certificate is to be trusted."""

    host: KernelHost
    certificate_file: str

    def __call__(self) -> None:
        """Enter."""
        os.environ[TRUSTED_VARIABLE] = self.certificate_file
        self.host.enter()
