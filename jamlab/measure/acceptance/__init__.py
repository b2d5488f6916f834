"""The acceptance tests of the product."""
