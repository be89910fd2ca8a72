"""Effects for voices and music: what shapes, dynamics, echoes, rooms and keys a karaoke night needs."""
