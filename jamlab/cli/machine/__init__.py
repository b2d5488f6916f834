"""Commands about this machine and its network: findings, NAT behaviour, the microphone."""
