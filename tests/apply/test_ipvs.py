from __future__ import annotations

import pytest

from switchboard.apply.ipvs import refuse_ipvs
from switchboard.base.errors import MachineError


@pytest.mark.parametrize(("there", "reference"), [(False, "no-ipvs"), (True, "ipvs-not-applied")])
def test_the_reason_is_told(tmp_path, there, reference):
    table = tmp_path / "ip_vs"
    if there:
        table.touch()
    with pytest.raises(MachineError) as refused:
        refuse_ipvs(table)
    assert refused.value.reference == reference
    assert "nftables" in refused.value.hint
