"""Microsoft's SDKs for Node, unmodified, over our library and executor. MXC_SDKS: the folder with sdk-1.0, sdk-0.9 and node."""
import os
import shutil

from harness import Skip, contains, equal, program

HERE = os.path.dirname(os.path.realpath(__file__))
SDKS = os.environ.get("MXC_SDKS", "")
# The slowest of them alone on a busy machine.
PATIENCE = 300


def sdks():
    if not os.path.isdir(os.path.join(SDKS, "sdk-1.0")):
        raise Skip("Microsoft's SDKs are not here (MXC_SDKS)")
    return SDKS


def bin_folder(box):
    """A folder as MXC_BIN_DIR has to be."""
    folder = box.path("bin", "x64")
    if not os.path.isdir(folder):
        box.folder("bin/x64")
        shutil.copy(program("lxc-exec"), folder)
        os.chmod(os.path.join(folder, "lxc-exec"), 0o755)
    return box.path("bin")


def node(box, script, *arguments, options=(), variables=None):
    """Runs a case of sdk_*.mjs as the box's caller, over our programs."""
    scripts = box.folder("scripts")
    shutil.copy(os.path.join(HERE, script), scripts)
    os.chmod(os.path.join(scripts, script), 0o644)
    where = {"MXC_SDKS": sdks(), "MXC_FFI_DIR": os.path.dirname(program("libmxc_ffi.so")), "MXC_BIN_DIR": bin_folder(box)}
    started = box.start(
        before=[os.path.join(SDKS, "node/bin/node"), *options, os.path.join(scripts, script), *arguments], env={**where, "TERM": "dumb", **(variables or {})}
    )
    out, err = started.communicate(timeout=PATIENCE)
    # What lies behind the script's arguments is lxc-exec, of which node takes no notice.
    equal(started.returncode, 0, f"{script} {' '.join(arguments)}: {err.decode()[-1500:]}")
    contains(out.decode(), "done", "stdout")
    return out.decode()
