"""Every benchmark's JSON keeps to the schema, and its page opens in a browser that has no network."""

import json
import re
import shutil
from pathlib import Path

import pytest

from rtkaraoke.bench.html import page, write
from rtkaraoke.bench.report import SCHEMA, Report, Table, load
from rtkaraoke.cli.console import show_json
from rtkaraoke.errors import RtkaraokeError
from tests.bench import reports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NAMES = ("hop", "schedule", "soak", "loopback", "devices", "quality", "compare")


@pytest.fixture(scope="module")
def every() -> dict[str, Report]:
    return reports.every()


@pytest.fixture(scope="module")
def validator():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", NAMES)
def test_the_json_keeps_to_the_schema(every, validator, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_json(every[name].to_dict())
    validator.validate(json.loads(capsys.readouterr().out))


def test_the_schema_wants_a_unit_in_the_name_of_every_figure(every, validator) -> None:
    content = json.loads(json.dumps(every["soak"].to_dict()))
    content["figures"]["soak.prefill512.latency"] = content["figures"].pop("soak.prefill512.latency_samples")
    assert not validator.is_valid(content)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_needs_nothing_beside_it_and_escapes_every_name(every, name: str) -> None:
    html = page(every[name].to_dict())
    assert len(html.encode()) < 1_000_000
    assert "<script" not in html
    assert not re.search(r"(src|href|url\()\s*=?\s*[\"']?(https?:)?//", html)
    assert not re.findall(r"\bNone\b|\bnan\b|\binf\b", html)


def test_every_kind_of_plot_is_there(every) -> None:
    kinds = {name: {chart.kind for chart in report.charts} for name, report in every.items()}
    assert kinds["hop"] == {"histogram", "stack"}
    assert kinds["schedule"] == {"histogram"}
    assert kinds["soak"] == {"timeline", "stack"}
    assert kinds["loopback"] == kinds["devices"] == {"stack"}
    assert kinds["quality"] == {"curve"}


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        browser.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_page_opens_without_network_and_its_plots_are_seen(every, browser, tmp_path: Path, name: str) -> None:
    path = tmp_path / "report.html"
    write(every[name].to_dict(), path)
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 800})
    tab = context.new_page()
    asked, said = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("dialog", lambda dialog: said.append(dialog.message))
    tab.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert said == []
    assert tab.title() == every[name].title
    plots = tab.locator("svg")
    assert plots.count() == len(every[name].charts)
    for number in range(plots.count()):
        plot = plots.nth(number)
        box = plot.bounding_box()
        assert box["width"] > 500
        assert box["height"] > 60
        # Whatever is drawn lies inside the plot.
        outside = plot.evaluate(
            """svg => { const view = svg.viewBox.baseVal; return [...svg.querySelectorAll('rect,circle,path,line,text')]
            .map(part => [part.outerHTML.slice(0, 80), part.getBBox()])
            .filter(([_, box]) => box.x < -1 || box.y < -1 || box.x + box.width > view.width + 1
                || box.y + box.height > view.height + 1).map(([html]) => html)
            .filter(html => !html.includes('rotate')); }"""
        )
        assert outside == []
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


def test_a_page_that_cannot_be_written_is_said(every, tmp_path: Path) -> None:
    with pytest.raises(RtkaraokeError, match=r"no folder.*cannot be written"):
        write(every["soak"].to_dict(), tmp_path / "no folder" / "report.html")


def test_a_report_is_read_again_and_what_is_none_is_refused(every, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(every["hop"].to_dict()))
    assert load(path)["name"] == "hop"
    for text, reason in (("{", "no report"), ("[]", "not a report"), ('{"format": "other"}', "not a report")):
        path.write_text(text)
        with pytest.raises(RtkaraokeError, match=reason):
            load(path)
    with pytest.raises(RtkaraokeError, match="no report"):
        load(tmp_path / "none.json")


def test_a_table_wants_a_cell_in_every_column() -> None:
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table("a", "A", {"x": "", "y": ".1f"}, [["only one"]])
