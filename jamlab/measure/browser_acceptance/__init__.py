"""The product's acceptance tests, played by browsers with the reference client."""
