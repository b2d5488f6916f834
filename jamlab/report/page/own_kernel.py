"""The kernel a report is executed by: the interpreter that runs jamlab, and no other.

Jupyter looks kernels up by name, and the first ``python3`` it finds may be another environment's,
without jamlab. Given nowhere to look, it falls back to the ipykernel beside it.
"""

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager


class OwnKernelManager(AsyncKernelManager):
    """Starts ``sys.executable``."""

    def __init__(self, **options: object) -> None:
        specs = KernelSpecManager(kernel_dirs=[])
        super().__init__(kernel_spec_manager=specs, **options)
