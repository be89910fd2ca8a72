"""What tests of several packages share: small networks, signals, stand-ins."""
