"""SQLite as library and queue use it: one connection, one lock, transactions that a killed process cannot tear."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rtkaraoke.closing import Closing
from rtkaraoke.errors import RtkaraokeError

BUSY_S = 5.0  #: how long another process may hold the database


class Database(Closing):
    """A connection that several threads share, in write-ahead mode: what was committed survives ``kill -9``.

    Parameters
    ----------
    path : Path
        The database's file; made with its folder where it is missing.
    error : type
        What is raised for everything that SQLite, disk and permissions do, such as
        :class:`~rtkaraoke.errors.QueueError`.
    durable : bool
        Whether what is committed survives a power cut, too, at the price of waiting for the disk.
    """

    def __init__(self, path: str | Path, error: type[RtkaraokeError], *, durable: bool = False) -> None:
        self.path = Path(path)
        self._error = error
        self._lock = threading.RLock()
        self._closed = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise error(f"{self.path.parent}: cannot be made ({cause.strerror}): choose another folder") from cause
        with self._translated():
            self._connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside happens, or nothing does. May stand inside another."""
        with self._lock, self._translated():
            self._refuse_closed()
            nested = self._connection.in_transaction
            if nested:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk rolls back by itself
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self._lock, self._translated():
            self._refuse_closed()
            return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """Close the connection. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._connection.close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise self._error(f"{self.path}: used after it was closed: open it again")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as cause:
            raise self._error(
                f"{self.path}: the database cannot be used ({cause}): free some space, close the other program, "
                "or move the file away to start anew"
            ) from cause
