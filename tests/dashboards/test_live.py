"""Every panel shows something of two real proxies' life, and every alert is evaluated on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboards.live import examine
from tests.dashboards.programs import needs_prometheus


@needs_prometheus
@pytest.mark.timeout(300)
async def test_every_panel_has_data_and_every_alert_is_evaluated(tmp_path: Path) -> None:
    findings = await examine(tmp_path, print)
    assert len(findings.panels) > 45
    assert [one for one in findings.panels if not one.is_good] == []
    assert findings.sick_alerts == {}
    assert findings.pages == set(), "nobody is woken by a migration that goes well"
