def test_bindings_by_kind_of_subject(cells):
    subjects = [{"kind": "User", "name": "u"}, {"kind": "Group", "name": "g"},
                {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]  # fmt: skip
    found = cells("RoleBinding", roleRef={"kind": "Role", "name": "r"}, subjects=subjects)
    assert (found["Role"], found["Users"], found["Groups"], found["ServiceAccounts"]) == ("Role/r", "u", "g", "n/s")
