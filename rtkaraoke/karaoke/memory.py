"""What a night remembers beside its queue: whose entries are whose, and how the host has set the desk."""

import json
import time
from pathlib import Path

from rtkaraoke.closing import Closing
from rtkaraoke.errors import NightError
from rtkaraoke.karaoke.database import Database

TONIGHT_S = 12 * 3600.0  #: a desk that was set longer ago was another evening's

_TABLES = """
CREATE TABLE IF NOT EXISTS night_owners (entry INTEGER PRIMARY KEY, owner TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS night_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL, at REAL NOT NULL);
"""


class Memory(Closing):
    """Tables in ``database``, which may also be the queue's. Safe to use from several threads.

    Raises
    ------
    NightError
        When the database cannot be used.
    """

    def __init__(self, database: str | Path) -> None:
        self._database = Database(database, NightError)
        with self._database.transaction() as db:
            for statement in _TABLES.split(";"):
                db.execute(statement)

    def close(self) -> None:
        """Close the database. May be called twice."""
        self._database.close()

    def own(self, entry: int, owner: str) -> None:
        """Note whose entry this is; only they and the host may change it."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO night_owners VALUES (?, ?)", (entry, owner))

    def owners(self) -> dict[int, str]:
        """Entry -> owner."""
        return {int(entry): str(owner) for entry, owner in self._database.rows("SELECT * FROM night_owners")}

    def keep(self, name: str, value: object) -> None:
        """Keep something that JSON can say."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO night_facts VALUES (?, ?, ?)", (name, json.dumps(value), time.time()))

    def kept(self, name: str, within_s: float = float("inf")) -> object:
        """What was kept within so many seconds, else None."""
        rows = self._database.rows("SELECT value, at FROM night_facts WHERE name = ?", (name,))
        return json.loads(rows[0][0]) if rows and 0 <= time.time() - rows[0][1] <= within_s else None
