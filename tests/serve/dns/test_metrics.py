from switchboard.serve.dns.metrics import Metrics


def test_names_and_labels_are_those_of_coredns():
    metrics = Metrics()
    metrics.asked("udp", "10.0.0.1", 1)
    metrics.asked("tcp", "fd00::1", 99)
    metrics.responded("cluster.local.", 3, 120)
    metrics.count("coredns_cache_hits_total")
    lines = metrics.text().splitlines()
    server = 'server="dns://:53"'
    assert f'coredns_dns_requests_total{{family="1",proto="udp",{server},type="A",view="",zone="."}} 1' in lines
    assert f'coredns_dns_requests_total{{family="2",proto="tcp",{server},type="other",view="",zone="."}} 1' in lines
    labels = f'plugin="kubernetes",rcode="NXDOMAIN",{server},view="",zone="cluster.local."'
    assert f"coredns_dns_responses_total{{{labels}}} 1" in lines
    assert f'coredns_dns_response_size_bytes_bucket{{{server},le="100"}} 0' in lines
    assert f'coredns_dns_response_size_bytes_bucket{{{server},le="200"}} 1' in lines
    assert f"coredns_cache_hits_total{{{server}}} 1" in lines
