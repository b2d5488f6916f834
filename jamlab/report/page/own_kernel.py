"""The Jupyter kernel that executes a report: always the interpreter that runs jamlab.

Jupyter looks kernels up by name, and the first ``python3`` may belong to another environment,
without jamlab. Without folders to search, it uses the ipykernel of its own environment.
"""

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager


class OwnKernelManager(AsyncKernelManager):
    """A kernel manager that starts ``sys.executable``."""

    def __init__(self, **options: object) -> None:
        specs = KernelSpecManager(kernel_dirs=[])
        super().__init__(kernel_spec_manager=specs, **options)
