"""The page of a karaoke night and its server: Starlette and uvicorn in the control process, plain files, no build step.

Whoever asks is checked before anything else is done (:mod:`~rtkaraoke.web.guard`): the name in the address bar, the
origin, how much they ask for, and the token of the night. What they ask for is one of a table of commands with
declared fields (:mod:`~rtkaraoke.web.commands`). On the wire there are only numbers that stand for songs, never paths.
"""
