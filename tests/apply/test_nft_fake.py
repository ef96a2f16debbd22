from __future__ import annotations

import pytest

from switchboard.apply.nft_fake import FakeNft
from switchboard.base.errors import MachineError

START = """add table ip t
table ip t {
	map m {
		type ipv4_addr : verdict
		elements = { 10.0.0.1 : goto c }
	}
	chain c {
		drop
	}
}
"""


def fake():
    nft = FakeNft()
    nft.apply(START)
    return nft


def test_commands_change_the_listing():
    nft = fake()
    nft.apply(
        "flush chain ip t c\nadd rule ip t c accept\nadd element ip t m { 10.0.0.2 : drop,\n\t10.0.0.3 : drop }\n"
    )
    assert "accept" in nft.list_table("ip", "t")
    assert "10.0.0.3 : drop" in nft.list_table("ip", "t")
    assert nft.list_table("ip6", "t") == ""
    nft.apply("delete table ip t\n")
    assert nft.list_table("ip", "t") == ""


@pytest.mark.parametrize(
    "refused",
    [
        "delete chain ip t c\n",
        "flush chain ip t x\n",
        "add rule ip t x drop\n",
        "add rule ip t c goto x\n",
        "add rule ip t c tproxy to 80\n",
        "add element ip t m { 10.0.0.1 : drop }\n",
        "add element ip t m { 10.0.0.2 : goto x }\n",
        "add element ip t x { 10.0.0.2 }\n",
        "delete element ip t m { 10.0.0.9 }\n",
        "delete table ip6 t\n",
        "delete map ip t x\n",
        "rename chain ip t c d\n",
        "table ip t {\n\tchain c {\n\t}\n}\n",
    ],
)
def test_refused_transaction_changes_nothing(refused):
    nft = fake()
    before = nft.list_table("ip", "t")
    for verb in (nft.apply, nft.check):
        with pytest.raises(MachineError) as error:
            verb(refused)
        assert error.value.reference == "nft-refused"
    assert nft.list_table("ip", "t") == before
    assert nft.transactions == [START]


def test_check_changes_nothing():
    nft = fake()
    nft.check("delete table ip t\n")
    assert nft.list_table("ip", "t")
