#!/usr/bin/env python3
"""lxc-exec as callers of Microsoft's executor know it: command line, streams, exit codes, the last line, files it writes."""
import base64
import json
import os
import pty
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../integration"))
from harness import case, check, contains, equal, eventually, lacks, main, tree  # noqa: E402


def run(box, policy, *options, **more):
    return box.mxc(*options, "--config", box.policy_file(policy), **more)


def command(box, text, **fields):
    return box.policy(command=text, **fields)


def envelope(ended):
    """What the last line of standard error says to programs."""
    last = ended.raw_err.decode().rstrip("\n").split("\n")[-1]
    equal(ended.raw_err[-1:], b"\n", "the end of stderr")
    error = json.loads(last)["error"]
    equal(error["code"], "backend_error", "the code")
    return error["message"]


def no_envelope(ended):
    lacks(ended.raw_err.decode(), '{"error"', "stderr")


@case
def the_programs_exit_code_and_streams(box):
    for code in (0, 1, 2, 42, 124, 125, 126, 127, 200, 255):
        ended = run(box, command(box, f"exit {code}")).expect(code)
        equal(ended.out + ended.raw_err, b"", f"output of exit {code}")
    ended = run(box, command(box, "cat; echo err >&2; exit 3"), input=b"in\n").expect(3)
    equal((ended.out, ended.raw_err), (b"in\n", b"err\n"), "streams")
    run(box, command(box, "no-such-program")).expect(127)
    run(box, command(box, "/etc/passwd")).expect(126)
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGABRT):
        ended = run(box, command(box, f"kill -{int(number)} $$")).expect(128 + number)
        equal(ended.raw_err, b"", "stderr")


@case
def wrong_command_lines_are_2(box):
    for arguments in (["--x"], ["--version"], ["--force"], ["a", "b"], ["--config"], ["--config", "a", "--config", "b"]):
        ended = box.mxc(*arguments).expect(2, " ".join(arguments))
        equal(ended.out, b"", "stdout")
        contains(ended.err, "error: ", "stderr")
        contains(ended.err, "For more information, try '--help'.", "stderr")
    check(box.mxc("--help").expect(0).text.startswith("Linux Container Executor\n\nUsage: lxc-exec [OPTIONS] [CONFIG_PATH]\n"), "help")


@case
def requests_that_can_not_be_read_are_1(box):
    contains(box.mxc().expect(1).err, "Error: No config provided. Use a positional path, --config, or --config-base64")
    missing = box.mxc("--config", "/no/such.json").expect(1)
    equal(missing.raw_err, b"Request error\nConfiguration parse error: Configuration file not found: /no/such.json\n", "stderr")
    contains(box.mxc("--config-base64", "%%%").expect(1).err, "Failed to decode base64 configuration")
    for text, part in (
        ("{", "ends before it is complete"), ("xx", "not JSON"),
        ('{"process":{"commandLine":"true"}}', '"version" is missing'),
        ('{"version":"9.9.9","process":{"commandLine":"true"}}', "known: 0.4.0-alpha, "),
        ('{"version":"1.0.0","process":{"args":"true"}}', 'unknown field "args"'),
        ('{"version":"1.0.0","process":{"commandLine":"true","timeout":"5"}}', "/process/timeout"),
        ('{"version":"1.0.0","phase":"start","sandboxId":"wslc:1"}', "expected a one-shot request"),
        ("version: 1.0.0\nprocess: {commandLine: 'true'}\n", "not JSON"),  # no YAML here
    ):
        ended = run(box, text).expect(1, text)
        check(ended.raw_err.startswith(b"Request error\nConfiguration parse error: "), f"stderr of {text}: {ended.raw_err!r}")
        contains(ended.err, part, "stderr")
        no_envelope(ended)


@case
def backends_that_no_linux_has_are_1(box):
    for name in ("wslc", "processcontainer", "isolation_session", "seatbelt"):
        ended = run(box, command(box, "true", containment=name)).expect(1)
        check(ended.raw_err.startswith(b"error: "), f"stderr: {ended.raw_err!r}")
        contains(ended.err, name, "stderr")
        contains(ended.err, "not available on Linux", "stderr")
        no_envelope(ended)
    for name in ("process", "bubblewrap"):
        run(box, command(box, "true", containment=name)).expect(0)
    run(box, command(box, "true", containment="lxc", lxc={"distribution": "alpine", "release": "3.23"})).expect(0)


@case
def our_own_fields_only_when_asked(box):
    policy = command(box, "true", x={"seccomp": {"profile": "default"}})
    contains(run(box, policy).expect(1).err, 'unknown field "x-linux"')
    run(box, policy, "--experimental").expect(0)
    run(box, policy, env={"MXC_ALLOW_X_LINUX": "1"}).expect(0)
    run(box, policy, env={"MXC_ALLOW_X_LINUX": "0"}).expect(1)
    if not box.root:
        return  # no group to count processes in
    # And they are enforced.
    forks = command(box, "for i in $(seq 1 30); do sleep 2 & done; wait", x={"resources": {"pids": 10}})
    contains(run(box, forks, "--experimental").err, "fork", "stderr")


@case
def what_can_not_be_enforced_is_255_with_an_envelope(box):
    ended = run(box, command(box, "echo ran", ui={"clipboard": "all"})).expect(255)
    contains(envelope(ended), "/ui/clipboard", "the envelope")
    equal(ended.out, b"", "stdout")


@case
def a_time_out_is_255_with_an_envelope(box):
    ended = run(box, command(box, "echo begun; sleep 60 & sleep 60", process={"timeout": 400})).expect(255)
    equal(ended.out, b"begun\n", "stdout")
    equal(envelope(ended), "script timed out after 400ms", "the envelope")
    check(ended.seconds < 5, f"it took {ended.seconds} s")
    # 0 is none.
    run(box, command(box, "sleep 0.3", process={"timeout": 0})).expect(0)


@case
def what_is_not_there_is_1_without_an_envelope(box):
    ended = run(box, command(box, "true", ro=["/no/such/path"])).expect(1)
    contains(ended.err, "/no/such/path", "stderr")
    no_envelope(ended)
    ended = run(box, command(box, "true", process={"cwd": "/no/such/path"})).expect(1)
    contains(ended.err, "/no/such/path", "stderr")
    no_envelope(ended)


@case
def base64_goes_before_config_before_the_path(box):
    files = [box.policy_file(command(box, f"echo {name}")) for name in ("config", "path")]
    encoded = base64.b64encode(json.dumps(command(box, "echo base64")).encode()).decode()
    equal(box.mxc("--config-base64", encoded, "--config", files[0], files[1]).expect(0).text, "base64\n", "stdout")
    equal(box.mxc("--config", files[0], files[1]).expect(0).text, "config\n", "stdout")
    equal(box.mxc(files[1]).expect(0).text, "path\n", "stdout")
    equal(box.mxc("--", files[1]).expect(0).text, "path\n", "stdout")
    with open(files[1], "rb") as file:
        equal(box.mxc("/dev/stdin", stdin=file).expect(0).text, "path\n", "stdout")


@case
def a_dry_run_runs_nothing(box):
    marker = box.path("work", "ran")
    policy = command(box, f"touch {marker}", rw=[box.work], process={"cwd": box.work, "timeout": 7}, containerId="me")
    lines = run(box, policy, "--dry-run").expect(0).text.splitlines()
    equal(
        lines[:4],
        [f"Script code length: {len('touch ' + marker)}", f"Working directory: {box.work}", "Script timeout: 7", "Container name: me"],
        "what it says",
    )
    check(lines[4].startswith("Runner completed in ") and lines[4].endswith("ms"), lines[4])
    equal(lines[5], "Dry run completed. Result: validation passed", "the result")
    check(not os.path.exists(marker), "the program ran")
    ended = run(box, command(box, "true", ui={"clipboard": "all"}), "--dry-run").expect(255)
    contains(ended.text, "Dry run completed. Result: validation failed: ", "stdout")
    equal(ended.raw_err, b"", "stderr")


@case
def debug_tells_about_the_run(box):
    lines = run(box, command(box, "echo out; exit 6"), "--debug").expect(6).text.splitlines()
    equal(lines[0], "Script code length: 16", "the first line")
    check(lines.index("out") > 3, f"the output stands behind the head: {lines}")
    equal(lines[-1], "Exit code: 6 (0x00000006)", "the last line")


@case
def the_log_has_the_policys_digest(box):
    log = box.path("work", "log")
    run(box, command(box, "exit 3"), "--log-file", log).expect(3)
    run(box, command(box, "exit 4"), "--log-file", log).expect(4)
    with open(log, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for line in lines:
        check(line.startswith("[") and line[1:].split("]")[0].isdigit(), f"a line of the log: {line}")
    events = [json.loads(line.split("] ", 1)[1]) for line in lines if "mxc.PolicyHash" in line]
    equal(len(events), 2, "digests")
    check(events[0]["policy_hash"].startswith("sha256:") and len(events[0]["policy_hash"]) == 71, str(events[0]))
    check(events[0]["policy_hash"] != events[1]["policy_hash"], "two policies have one digest")
    equal(events[0]["config_schema_version"], "1.0.0", "the version")
    check(any(line.endswith("exit code 3") for line in lines), f"the log: {lines}")
    # One that can't be written is said, and that is all.
    ended = run(box, command(box, "exit 5"), "--log-file", "/no/such/folder/log").expect(5)
    contains(ended.err, "WARNING: ", "stderr")


@case
def signals_to_it_end_the_sandbox(box):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        for text in ("echo up; exec sleep 60", "trap '' TERM INT HUP; echo up; while :; do sleep 1; done", "trap 'exit 0' TERM INT HUP; echo up; sleep 60 & wait"):
            started = box.start("--config", box.policy_file(command(box, text)))
            equal(started.stdout.readline(), b"up\n", "the program's start")
            begin = time.monotonic()
            started.send_signal(number)
            started.communicate(timeout=20)
            equal(started.returncode, 128 + number, f"exit status after {number.name} of {text}")
            check(time.monotonic() - begin < 10, "it took too long")


@case
def its_death_ends_the_sandbox(box):
    started = box.start("--config", box.policy_file(command(box, "echo up; exec sleep 61.5")))
    equal(started.stdout.readline(), b"up\n", "the program's start")
    started.kill()
    started.communicate(timeout=20)

    def gone():
        for entry in os.listdir("/proc"):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    if file.read() == b"sleep\x0061.5\x00":
                        return False
            except (OSError, NotADirectoryError):
                pass
        return True

    check(eventually(gone, 5), "the program outlived lxc-exec")
    # The next run takes away what was left.
    run(box, command(box, "true")).expect(0)


@case
def a_terminal_is_one_inside(box):
    master, slave = pty.openpty()
    started = box.start("--config", box.policy_file(command(box, "tty >/dev/null && echo yes; read a; echo got $a")), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""
    os.write(master, b"word\n")
    while True:
        try:
            got = os.read(master, 4096)
        except OSError:
            break
        if not got:
            break
        seen += got
    started.wait(20)
    contains(seen.decode(), "yes", "the terminal")
    contains(seen.decode(), "got word", "the terminal")


@case
def the_name_of_the_backend_is_where_scripts_look(box):
    equal(run(box, command(box, "cat /proc/1/comm")).expect(0).text, "bwrap\n", "/proc/1/comm")


@case
def no_signal_is_blocked_and_no_capability_is_left(box):
    status = dict(line.split(":\t", 1) for line in run(box, command(box, "cat /proc/self/status")).expect(0).text.splitlines() if ":\t" in line)
    equal(int(status["SigBlk"], 16), 0, "blocked signals")
    # 32 and 33 are the C library's, and ignored by whoever started us.
    equal(int(status["SigIgn"], 16) & ~(3 << 31), 0, "ignored signals")
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        equal(int(status[name], 16), 0, name)
    equal(status["NoNewPrivs"], "1", "no_new_privs")
    check(status["Seccomp"] == "2", "no filter of system calls")


@case
def the_environment_is_the_policys(box):
    def names(**process):
        return sorted(line.split("=")[0] for line in run(box, command(box, "env", process=process), env={"SECRET": "x"}).expect(0).text.splitlines())

    equal([n for n in names() if n not in ("PWD", "HOME", "LANG")], ["PATH", "TERM"], "the default block")
    equal([n for n in names(env=[]) if n != "PWD"], [], "an empty list")
    equal([n for n in names(env=["A=1"]) if n != "PWD"], ["A"], "a list")
    equal([n for n in names(env=["A=1"], inheritDefaultEnv=True) if n not in ("PWD", "HOME", "LANG")], ["A", "PATH", "TERM"], "a list over the block")


@case
def spelling_reorders_no_rules(box):
    secret = box.file("work/a/rw/sub/secret", "s")
    before = tree(box.work)
    top = box.path("work", "a")
    # Written so that the grant sorts behind the denial.
    policy = command(box, f"cat {secret}; touch {top}/rw/sub/new; echo $?", rw=[f"{top}/../a/rw/"], deny=[f"{top}/rw/./sub"])
    ended = run(box, policy).expect(0)
    contains(ended.err, "Permission denied", "stderr")
    lacks(ended.text, "s\n", "stdout")
    equal(tree(box.work), before, "the work tree")


@case
def a_denied_path_is_refused_and_leaves_nothing(box):
    file, folder = box.file("work/file", "secret"), box.folder("work/folder")
    missing = box.path("work", "missing")
    before = tree(box.work)
    policy = command(
        box,
        f"cat {file}; ls {folder}; echo x >{file}; echo x >{folder}/x; mkdir {missing}; rm {file}; ls {box.work}",
        rw=[box.work],
        deny=[file, folder, missing],
    )
    ended = run(box, policy).expect(0)
    lacks(ended.text, "secret", "stdout")
    # They are seen, and not reached.
    contains(ended.text, "file", "the listing")
    check(ended.err.count("ermission denied") >= 4, f"stderr: {ended.err}")
    after = tree(box.work)
    after.pop(missing, None)
    # A folder's own times aren't looked at, but its links are.
    equal({path: what for path, what in after.items() if path != box.work}, {path: what for path, what in before.items() if path != box.work}, "the work tree")
    box.discard_moved()


@case
def merged_usr_is_one_folder(box):
    policy = command(box, "ls /bin/; ls /usr/bin/", deny=["/usr/bin"])
    ended = run(box, policy)
    check(ended.code in (126, 127, 255, 1), f"sh itself lies in a denied folder: {ended.code}")
    equal(ended.out, b"", "stdout")


@case
def what_this_host_can_run(box):
    ended = box.mxc("--available-backends").expect(0)
    check(ended.text.startswith("[\n  {\n"), "it is indented by two")
    names = [one["backend"] for one in json.loads(ended.text)]
    equal(names, ["bubblewrap", "lxc"], "backends")


@case(callers=("rootless",))
def where_no_sandbox_can_be_made_no_backend_is_named(box):
    none_left = ["unshare", "--user", "--map-root-user", "sh", "-c", 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"]
    equal(json.loads(box.mxc("--available-backends", before=none_left).expect(0).text), [], "backends")
    envelope(run(box, command(box, "true"), before=none_left).expect(255))


@case
def nothing_of_a_run_is_there_to_be_deleted(box):
    contains(box.mxc("--delete").expect(1).err, "Error: --containername is required with --delete")
    equal(box.mxc("--delete", "--containername", "x").expect(1).text, "Container 'x' does not exist.\n", "stdout")


@case
def it_is_no_door_for_other_things(box):
    contains(box.mxc("--serve-ffi", "0", "run", "1").expect(2).err, "libmxc_ffi.so", "stderr")
    contains(box.mxc("--serve-ffi").expect(2).err, "libmxc_ffi.so", "stderr")
    contains(box.mxc("--setup-hyperlight").expect(1).err, "not available on Linux", "stderr")


if __name__ == "__main__":
    main()
