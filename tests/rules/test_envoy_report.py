"""Envoy's statistics and log, as Envoy 1.40 words them."""

from switchboard.rules.envoy_report import Reason, Subscription, reasons, subscriptions


def test_statistics_become_files() -> None:
    told = {
        "listener_manager.lds.version_text": "l",
        "cluster_manager.cds.update_failure": 2,
        "cluster_manager.cds.update_rejected": 1,
        "http.http.rds.http.version_text": "r",
        "http.admin.downstream_rq_rejected_via_ip_detection": 7,
    }
    assert subscriptions(told) == {
        "lds.json": Subscription("l"),
        "cds.json": Subscription("", 3),
        "rds/http.json": Subscription("r"),
    }


def test_reasons_come_without_the_content() -> None:
    log = [
        "x warning config Filesystem config update rejected: invalid perl operator: (?=",
        "x warning main something else",
        'x w Filesystem config update failure: in /d/lds.json, Unable to parse (line 1): {"key": "hush"}',
    ]
    assert reasons(log) == [
        Reason("", "invalid perl operator: (?="),
        Reason("/d/lds.json", "Unable to parse (line 1"),
    ]
