"""Networks of Linux namespaces, with the kernel's own NATs and with coturn."""
