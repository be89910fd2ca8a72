"""Songs as a source of live sound: one song that can be moved about in, or an evening of them on a deck.

A reader thread decodes, stretches and resamples ahead into a ring; the worker takes from it and never waits::

    file ─► tape ─► stretcher ─► resampler ─► ring ─► worker
            └──────── reader thread ────────┘

Key and tempo are done here, before the engine, so that its latency never changes; at key 0 and tempo 100 the samples
pass bit for bit. Another place, key or tempo gets a ring of its own, prepared beside, and the worker fades over to it.
"""

from rtkaraoke.transport.deck import Deck
from rtkaraoke.transport.song import FADE_S, Song

__all__ = ["FADE_S", "Deck", "Song"]
