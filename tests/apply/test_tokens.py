import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.apply.tokens import KEY_FILE, TokenKey
from switchboard.base.errors import MachineError

KEY = TokenKey.create()


def test_a_token_says_what_was_signed_in_its_time():
    token = KEY.sign({"sub": "x", "nbf": 100, "exp": 200})
    assert KEY.claims(token, 150)["sub"] == "x"
    assert KEY.claims(token, 99) is None
    assert KEY.claims(token, 200) is None
    assert TokenKey.create().claims(token, 150) is None


def test_the_form_is_that_of_the_standard():
    header, payload, signature = KEY.sign({"exp": 1}).split(".")
    decode = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))  # noqa: E731
    assert json.loads(decode(header))["alg"] == "ES256"
    assert (json.loads(decode(payload)), len(decode(signature))) == ({"exp": 1}, 64)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_no_changed_token_is_taken(place, byte):
    token = KEY.sign({"exp": 10})
    place %= len(token)
    changed = token[:place] + chr(byte) + token[place + 1 :]
    found = KEY.claims(changed, 5)
    # The last character of a part may carry bits that mean nothing.
    assert found is None or found == {"exp": 10}
    assert KEY.claims(token.rpartition(".")[0] + ".", 5) is None


def test_the_key_is_kept_for_its_owner(tmp_path):
    made = TokenKey.load_or_create(tmp_path)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert TokenKey.load_or_create(tmp_path).claims(made.sign({"exp": 10}), 5) == {"exp": 10}
    assert "hidden" in repr(made)
    (tmp_path / KEY_FILE).write_text("broken")
    with pytest.raises(MachineError):
        TokenKey.load_or_create(tmp_path)
