"""An internet of Linux network namespaces."""
