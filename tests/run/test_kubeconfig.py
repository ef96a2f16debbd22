import base64

import yaml

from switchboard.apply.certificates import KeyPair
from switchboard.run.kubeconfig import kubeconfig, write_private


def test_a_kubeconfig_names_server_authority_and_client():
    found = yaml.safe_load(kubeconfig("https://127.0.0.1:1", "CA", KeyPair("CHAIN", "KEY")))
    context = found["contexts"][0]["context"]
    assert found["current-context"] == found["contexts"][0]["name"]
    assert (context["cluster"], context["user"]) == (found["clusters"][0]["name"], found["users"][0]["name"])
    cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
    assert cluster["server"] == "https://127.0.0.1:1"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"CA"
    assert base64.b64decode(user["client-key-data"]) == b"KEY"


def test_files_are_private_and_replaced(tmp_path):
    path = tmp_path / "x"
    for text in ("one", "two"):
        write_private(path, text)
        assert (path.read_text(), path.stat().st_mode & 0o777) == (text, 0o600)
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
