"""``jamlab``, as a command and as ``python -m jamlab``."""

import signal
import sys
import traceback

SOFTWARE = 70
"""Exit status after an error nobody expected (EX_SOFTWARE of sysexits.h); 1 says FAIL."""


def main() -> int:
    """Run the command; returns its exit status."""
    try:
        from jamlab import cli

        return cli.main()
    except KeyboardInterrupt:  # while modules are imported; commands handle it themselves
        return 128 + signal.SIGINT
    except Exception:
        traceback.print_exc()
        return SOFTWARE


if __name__ == "__main__":
    sys.exit(main())
