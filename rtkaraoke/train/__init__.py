"""Training of mask networks and their export. The only folder that knows torch."""
