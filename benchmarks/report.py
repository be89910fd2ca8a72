"""Write RESULTS.md and the marked tables of README.md, docs and model cards from ``results/*.json``.

    python benchmarks/report.py [--check]

A place in these documents that is filled from here looks like this, KEY being ``file/table``::

    <!-- benchmark quality/default -->
    ...
    <!-- /benchmark -->

and ``<!-- benchmark quality/default: live, centre -->`` takes the rows alone that begin with one of these names.

With ``--check`` nothing is written; the exit code is 1 when something would change. Where RTKARAOKE_RESULTS names
another folder, its results are shown, in RESULTS.md and documents that are written into that folder.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path

from common import FOLDER, RESULTS, Table, load, measured_on, results_folder

ROOT = FOLDER.parent
DOCUMENTS = (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("rtkaraoke/masks/weights/*.md")))
REPORT = FOLDER / "RESULTS.md"
PLACE = re.compile(
    r"(?P<open><!-- benchmark (?P<key>[\w./-]+)(?:: (?P<rows>[^>]+))? -->\n).*?(?P<close><!-- /benchmark -->)",
    re.DOTALL,
)
INTRODUCTION = """# Results

Written by `benchmarks/report.py` from `benchmarks/results/*.json`; do not edit. How to measure again: see
[the list of scripts](README.md).
"""


def report(results: Path = RESULTS) -> str:
    """The whole of RESULTS.md."""
    parts = [INTRODUCTION]
    for path in sorted(results.glob("*.json")):
        content, tables = load(path)
        parts.append(f"## {content['name']}\n\n<sub>{measured_on(content)}</sub>\n")
        if content["parameters"]:
            listed = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in content["parameters"].items())
            parts.append(f"<sub>{listed}</sub>\n")
        parts += [_section(table) for table in tables]
    return "\n".join(parts)


def _section(table: Table) -> str:
    note = f"\n{table.note}\n" if table.note else ""
    return f"### {table.title}\n\n{table.markdown()}\n{note}"


def fill(text: str, results: Path = RESULTS) -> str:
    """``text`` with every marked place filled with its table."""
    tables: dict[str, Table] = {}
    for path in results.glob("*.json"):
        tables |= {f"{path.stem}/{table.key}": table for table in load(path)[1]}

    def table_of(match: re.Match[str]) -> str:
        table = tables.get(match["key"])
        if table and match["rows"]:
            wanted = [name.strip() for name in match["rows"].split(",")]
            table = replace(table, rows=[row for row in table.rows if row[0] in wanted])
        content = table.markdown() if table else f"*{match['key']} has not been measured yet.*"
        return match["open"] + content + "\n" + match["close"]

    return PLACE.sub(table_of, text)


def main() -> None:
    results = results_folder()
    root = ROOT if results == RESULTS else results
    wanted = {root / REPORT.relative_to(ROOT): report(results)} | {
        root / path.relative_to(ROOT): fill(path.read_text(encoding="utf-8"), results) for path in DOCUMENTS
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        if stale:
            raise SystemExit(f"stale: {', '.join(path.name for path in stale)}. Run: python benchmarks/report.py")
        return
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
