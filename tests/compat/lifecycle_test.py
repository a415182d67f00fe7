#!/usr/bin/env python3
"""State-aware requests of Microsoft's SDK 1.0 and of the C interface, over sessions of a real mxcd.

MXC_SDKS: the folder with sdk-1.0 and node; without it its case is left out."""
import json
import os
import pty
import sys
import textwrap

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../integration"))
sys.path.insert(0, HERE)
from harness import case, check, contains, equal, eventually, main, program  # noqa: E402
from mxcd import Mxcd  # noqa: E402
from sdk import node  # noqa: E402

PRELUDE = """
import ctypes, json, os, signal, sys, time
sys.dont_write_bytecode = True
import mxc
lib = mxc._library()
class Answer(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int32), ("response", ctypes.c_char_p), ("error", mxc._ErrorDetail)]
def ask(check=0, **fields):
    answer = Answer()
    lib.mxc_run_state_aware_json(json.dumps({"version": "1.0.0", **fields}).encode(), check, 0, ctypes.byref(answer))
    got = (answer.status, json.loads(answer.response) if answer.response else answer.error.message.decode())
    lib.mxc_state_aware_result_free(ctypes.byref(answer))
    return got
def done(**fields):
    status, response = ask(**fields)
    assert status == 0, response
    return response["result"]
def equal(got, wanted, what="value"):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"
"""
OPEN = {"egress": {"default": "allow"}, "ingress": {"default": "allow", "hostLoopback": "allow"}}


def host(mxcd, code):
    """Options of Box.start for Python code that has loaded the library and reaches mxcd."""
    folder = os.path.dirname(program("libmxc_ffi.so"))
    environment = {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1", "MXC_SOCKET": mxcd.socket}
    return {"before": [sys.executable, "-c", PRELUDE + textwrap.dedent(code)], "env": environment}


def start(box, mxcd, code, **streams):
    return box.start(**host(mxcd, code), **streams)


def hosted(box, mxcd, code, status=0):
    return box.mxc(**host(mxcd, code)).expect(status)


@case
def the_sdk_drives_a_containers_life(box):
    box.file("work/secret", "s")
    with Mxcd(box) as mxcd:
        node(box, "sdk_1_0.mjs", "lifecycle", box.work, variables={"MXC_SOCKET": mxcd.socket})
        equal(json.loads(mxcd.mxc("list", "--json").expect().out), [], "what is left of it")
    equal(os.path.exists(box.path("work", "new")), True, "what was written")


@case
def an_isolation_session_has_an_identifier_of_its_kind(box):
    with Mxcd(box) as mxcd:
        network = json.dumps(OPEN)
        code = f"""
        network = json.loads({network!r})
        equal(ask(phase="provision", containment="isolation_session", network={{}})[0], 1)
        status, answer = ask(phase="provision", containment="isolation_session", network=network)
        print(status, json.dumps(answer))
        """
        status, answer = hosted(box, mxcd, code).text.split(" ", 1)
        if status == "11" and not box.root:
            contains(answer, "/dev/net/tun may not be opened", "why not")
            return
        equal(status, "0", f"status of {answer}")
        result = json.loads(answer)["result"]
        kind, session = result["sandboxId"].split(":")
        equal(kind, "iso", "what the identifier begins with")
        equal(result["warnings"], ["nothing outside of the sandbox can connect to a program in it"], "warnings")
        mxcd.mxc("start", session).expect()


@case
def what_is_checked_is_not_done(box):
    with Mxcd(box) as mxcd:
        hosted(
            box,
            mxcd,
            """
            equal(ask(1, phase="provision", containment="wslc"), (0, {"result": {}}))
            equal(ask(1, phase="provision", containment="wslc", filesystem={"readonlyPaths": ["/no/such"]})[0], 11)
            equal(ask(1, phase="provision", containment="wslc", wslc={"provision": {"image": "x"}})[0], 11)
            equal(ask(1, phase="start", sandboxId="wslc:1")[0], 0)
            equal(ask(1, phase="exec", sandboxId="wslc:1", process={"commandLine": "true"})[0], 0)
            equal(ask(1, phase="exec", sandboxId="wslc:1", process={"commandLine": "true"}, network={})[0], 11)
            equal(ask(1, phase="stop", sandboxId="zz")[0], 5)
            """,
        )
        equal(json.loads(mxcd.mxc("list", "--json").expect().out), [], "sessions")


@case
def an_attached_program_has_the_hosts_terminal(box):
    with Mxcd(box) as mxcd:
        with mxcd.session() as session:
            request = {"version": "1.0.0", "phase": "exec", "sandboxId": f"wslc:{session}", "process": {"commandLine": "read a; tty; echo got $a; exit 6"}}
            code = f"""
            outcome, error = (ctypes.c_int32 * 2)(), mxc._ErrorDetail()
            status = lib.mxc_exec_state_aware_attached_json(json.dumps({request!r}).encode(), 0, outcome, ctypes.byref(error))
            print("host:", status, list(outcome), error.message)
            """
            console, terminal = pty.openpty()
            started = start(box, mxcd, code, stdin=terminal, stdout=terminal, stderr=terminal)
            os.close(terminal)
            os.write(console, b"word\n")
            shown = b""
            while b"host:" not in shown:
                shown += os.read(console, 4096)
            equal(started.wait(20), 0, "the host's status")
            os.close(console)
            contains(shown, b"/dev/pts/", "what the terminal shows")
            contains(shown, b"got word\r\n", "what the terminal shows")
            contains(shown, b"host: 0 [0, 6] None", "what the terminal shows")


@case
def a_host_that_dies_takes_its_program_with_it(box):
    with Mxcd(box) as mxcd:
        with mxcd.session() as session:
            code = f"""
            handle = ctypes.c_void_p()
            request = {{"version": "1.0.0", "phase": "exec", "sandboxId": "wslc:{session}", "process": {{"commandLine": "exec sleep 4245"}}}}
            equal(lib.mxc_exec_state_aware_json(json.dumps(request).encode(), 0, ctypes.byref(handle), None), 0)
            os.kill(os.getpid(), signal.SIGKILL)
            """
            hosted(box, mxcd, code, status=-9)

            def programs():
                return [one["state"] for one in json.loads(mxcd.mxc("inspect", session).expect().out)["programs"]]

            check(eventually(lambda: programs() == ["ended"], 5), f"the program goes on: {programs()}")


if __name__ == "__main__":
    main()
