"""What axe-core finds wrong with a page in Chromium, for people who see badly or listen to it."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def barriers(page: Page) -> list[str]:
    """Every violation with the elements it is about; a dialog that is open is looked at alone, as a person has to."""
    context = "dialog[open]" if page.locator("dialog[open]").count() else None
    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    found = Axe().run(page, context, options).response["violations"]
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def contrast(page: Page, selector: str) -> float:
    """The contrast of a text, as axe-core computes it."""
    options = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    (rule,) = Axe().run(page, selector, options).response["passes"]
    return min(node["any"][0]["data"]["contrastRatio"] for node in rule["nodes"])
