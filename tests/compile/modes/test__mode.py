from __future__ import annotations

from switchboard.base.discovery import discover
from switchboard.compile.modes._mode import Mode, ProxyOptions
from switchboard.view.model import View


def test_every_mode_has_the_name_of_its_file_and_compiles_an_empty_view():
    modes = dict(discover("switchboard.compile.modes", "MODE"))
    assert "nftables" in modes
    for stem, mode in modes.items():
        assert isinstance(mode, Mode)
        assert mode.name == stem
        _, findings = mode.compile(View(), "n1", ProxyOptions())
        assert [f.reference for f in findings] == ["unknown-node"]
