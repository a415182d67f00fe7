#!/usr/bin/env python3
"""Network rules without root: TCP by the gateway, the rest by pasta; and policies that allow everything."""
import json
import os
import sys
import time

sys.dont_write_bytecode = True
from harness import case, check, contains, equal, eventually, processes_below, with_tun  # noqa: E402
from internet import HOST4, OTHER4, PRIVATE4, SERVER4, SERVER6, World, found, names, nothing_left  # noqa: E402
from outside import main_in_own_network, sh  # noqa: E402


@case(callers=("rootless",))
def tcp_rules_without_root(box):
    egress = {
        "allow": [{"to": [{"cidr": "151.101.0.0/24", "except": [OTHER4 + "/32"]}], "ports": [{"protocol": "tcp", "port": 80}]}, {"to": [{"cidr": SERVER6}], "ports": [{"protocol": "tcp"}]}],
        "deny": [{"to": [{"cidr": "151.101.0.12"}]}],
    }
    with World(box):
        report = box.path("home", "report.json")
        got = found(
            box,
            box.policy(network={"egress": egress}),
            f"""
            def datagram(to):
                try:
                    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); client.sendto(b"x", (to, 80)); return "sent"
                except OSError as error: return named(error)
            def served():
                with socket.create_server(("127.0.0.1", 3000)) as server, socket.create_connection(("127.0.0.1", 3000), 3) as client:
                    return server.accept()[0].send(b"x")
            print(json.dumps({{"allowed": get("{SERVER4}"), "v6": get("{SERVER6}", 8080), "mapped": get("::ffff:{SERVER4}"), "port": get("{SERVER4}", 8080), "excepted": get("{OTHER4}"),
                "denied": get("151.101.0.12"), "host": get("{HOST4}"), "elsewhere": get("10.9.9.9"), "elsewhere v6": get("2a04:4e42::11", 80), "udp": [datagram("{SERVER4}"), 0],
                "own": [served(), 0], "listener": get("127.0.0.1", 1010), "name": get("pypi.test")}}))
            """,
            report=report,
        )
        for allowed, port in (("allowed", 80), ("v6", 8080), ("mapped", 80)):
            check(got[allowed][0].startswith(f"port {port}"), f"{allowed}: {got[allowed]}")
        for refused in ("port", "excepted", "denied", "host", "elsewhere", "elsewhere v6"):
            equal(got[refused][0], "ECONNREFUSED", refused)
            check(got[refused][1] < 100, f"{refused} took {got[refused][1]} ms")
        equal(got["udp"][0], "EPERM", "UDP")
        equal(got["own"][0], 1, "the sandbox's own loopback")
        check(got["name"][0] in ("AGAIN", "NONAME"), str(got["name"]))
        with open(report, encoding="utf-8") as file:
            denied = {one["what"]: one["rule"] for one in json.load(file)["denials"] if one["source"] == "nftables"}
        check(denied[f"send to tcp {OTHER4}:80"].endswith("#/network/egress/default"), str(denied))
        check(denied["send to tcp 151.101.0.12:80"].endswith("#/network/egress/deny/0"), str(denied))
        check(denied[f"send to tcp {HOST4}:80"].endswith("#/network/ingress/hostLoopback"), str(denied))


@case
def everything_is_allowed_and_the_host_is_not(box):
    if not box.root:
        with_tun(box)
    with World(box) as world:
        report = box.path("home", "report.json")
        policy = box.policy(network={"egress": {"default": "allow", "deny": [{"to": [{"cidr": OTHER4}]}]}})
        got = found(
            box,
            policy,
            f"""
print(json.dumps({{"name": get("pypi.test"), "v6 name": get("six.test"), "address": get("{SERVER4}"), "v6": get("{SERVER6}"), "udp": [datagram("{SERVER4}"), 0], "private": get("{PRIVATE4}"),
    "denied": get("{OTHER4}"), "denied udp": [datagram("{OTHER4}"), 0], "host": get("{HOST4}"), "host udp": [datagram("{HOST4}"), 0], "link-local": [datagram("fe80::1%eth0"), 0], "missing": get("nothing.test"), "truncated": get("truncated.test"), "pool": get("198.19.77.7", patience=3), "own": get("127.0.0.1", 80)}}))
""",
            report=report,
        )
        for reached in ("name", "v6 name", "address", "v6", "private", "truncated"):
            check(got[reached][0].startswith("port 80"), f"{reached}: {got[reached]}")
        equal(got["udp"][0], "!", "UDP")
        equal(got["missing"][0], "NONAME", "a name that doesn't exist")
        for refused in ("denied", "host", "own"):
            equal(got[refused][0], "ECONNREFUSED", refused)
            check(got[refused][1] < 100, f"{refused} took {got[refused][1]} ms")
        equal(got["denied udp"][0], "EPERM", "UDP that is denied")
        if not box.root:  # root's link has no such addresses
            equal(got["link-local"][0], "EPERM", "UDP to the other end of the link")
        # pasta gives the sandbox the host's address: there it is its own.
        equal(got["host udp"][0], "EPERM" if box.root else "ECONNREFUSED", "UDP to the host")
        check(got["pool"][0] in ("ECONNRESET", "empty"), str(got["pool"]))
        contains(" ".join(world.queries()), "pypi.test", "what was asked outside")
        with open(report, encoding="utf-8") as file:
            rules = " ".join(one.get("rule", "") for one in json.load(file)["denials"])
        contains(rules, "#/network/egress/deny/0", "the report")
        nothing_left()


@case(callers=("rootless",))
def a_link_of_its_own_without_root(box):
    with_tun(box)
    with World(box):
        egress = {"allow": [{"to": [{"cidr": SERVER4}], "ports": [{"protocol": "udp", "port": 443}]}, {"to": [{"cidr": SERVER6}]}]}
        policy = box.policy(network={"egress": egress}, x=names(["pypi.test"]))
        got = found(
            box,
            policy,
            f"""
print(json.dumps({{"udp": datagram("{SERVER4}"), "other port": datagram("{SERVER4}", 53), "tcp": get("{SERVER4}")[0], "v6": get("{SERVER6}", 8080)[0], "elsewhere": datagram("{OTHER4}"), "name": get("pypi.test")[0], "other name": get("six.test")[0]}}))
""",
        )
        equal(got["udp"], "!", "UDP that a rule allows")
        for refused in ("other port", "elsewhere"):
            equal(got[refused], "EPERM", refused)
        equal(got["tcp"], "ECONNREFUSED", "TCP that no rule allows")
        check(got["v6"].startswith("port 8080") and got["name"].startswith("port 80"), str(got))
        equal(got["other name"], "NONAME", "a name that no rule allows")
        # Whoever is killed, pasta doesn't stay.
        for victim in ("mxc", "mxc-link", "pasta"):
            started = box.start("run", "--policy", box.policy_file(policy), "--", "sh", "-c", "echo up; exec sleep 60")
            equal(started.stdout.readline(), b"up\n", "the program")
            running = {name: pid for pid, name in processes_below(os.getpid()).items() if name.startswith(("pas", "mxc-link"))}
            pasta = next((pid for name, pid in running.items() if name.startswith("pas")), None)  # it runs as passt
            check(pasta is not None and "mxc-link" in running, str(running))
            os.kill({"mxc": started.pid, "mxc-link": running["mxc-link"], "pasta": pasta}[victim], 9)
            if victim != "mxc":
                time.sleep(0.1)
                check(started.poll() is None, f"the sandbox ended with {victim}")
                started.terminate()
            started.communicate()
            ours = ("pas", "mxc-link", "mxc-gateway")
            check(eventually(lambda: not any(name.startswith(ours) for name in processes_below(os.getpid()).values()), 3), f"left after {victim}: {processes_below(os.getpid())}")


@case(callers=("rootless",))
def a_pasta_that_is_too_old_or_fails_is_named(box):
    with_tun(box)
    box.mount("-t", "tmpfs", "bin", box.folder("fake"))
    fake = box.file("fake/pasta", "#!/bin/sh\necho \"pasta: unrecognized option '--config-net'\" >&2\nexit 1\n", mode=0o755)
    box.mount("--bind", fake, os.path.realpath("/usr/bin/pasta"))
    with World(box):
        ended = box.run(box.policy(network={"egress": {"default": "allow"}}), "true").expect(125)
        contains(ended.err, "unrecognized option '--config-net'", "the refusal")
        contains(ended.err, "passt", "the refusal")


@case(callers=("rootless",))
def what_needs_root_is_refused_by_name(box):
    if os.path.exists("/dev/net"):
        box.mount("-t", "tmpfs", "none", "/dev/net")
    for egress in ({"default": "allow"}, {"allow": [{"to": [{"cidr": SERVER4}]}]}, {"allow": [{"to": [{"cidr": SERVER4}], "ports": [{"protocol": "udp", "port": 53}]}]}):
        ended = box.run(box.policy(network={"egress": egress}), "true").expect(125)
        contains(ended.err, "/network/egress", "the refusal")
        contains(ended.err, "without root only TCP", "the refusal")


if __name__ == "__main__":
    main_in_own_network()
