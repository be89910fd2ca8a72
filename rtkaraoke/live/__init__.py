"""Sound cards: the only folder that knows them. Importing it imports neither sounddevice nor rtmixer."""
