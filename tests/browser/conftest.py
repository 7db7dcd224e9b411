"""A browser for each file, and a tab for each test, which ends without faults of the page. The file has the `site`."""

import pytest

from tests.browser.chromium import Chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    running = Chromium(tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


@pytest.fixture
def tab(browser, site):
    opened = browser.open(f"{site}/")
    yield opened
    faults = opened.faults()
    opened.close()
    assert not faults
