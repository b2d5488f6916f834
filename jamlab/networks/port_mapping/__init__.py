"""Port mappings: ports outside that the router forwards to ours, by PCP, NAT-PMP and UPnP-IGD."""
