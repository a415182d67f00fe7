"""A C++ toolchain for Windows x86-64: Debian's g++-mingw-w64-x86-64-posix."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load(
    "@bazel_tools//tools/cpp:cc_toolchain_config_lib.bzl",
    "artifact_name_pattern",
    "feature",
    "flag_group",
    "flag_set",
    "tool_path",
    "variable_with_value",
)

_COMPILE = [ACTION_NAMES.c_compile, ACTION_NAMES.cpp_compile]
_LINK = [ACTION_NAMES.cpp_link_executable]

def _flags(name, actions, flags, enabled = False):
    return feature(
        name = name,
        enabled = enabled,
        flag_sets = [flag_set(actions = actions, flag_groups = [flag_group(flags = flags)])],
    )

def _impl(ctx):
    prefix = "/usr/bin/x86_64-w64-mingw32-"
    tools = {
        "gcc": prefix + "g++-posix",
        "cpp": prefix + "cpp-posix",
        # Not gcc-ar, which can't read Bazel's @params files.
        "ar": prefix + "ar",
        "ld": prefix + "ld",
        "nm": prefix + "nm",
        "objcopy": prefix + "objcopy",
        "objdump": prefix + "objdump",
        "strip": prefix + "strip",
        "gcov": "/bin/false",
        "dwp": "/bin/false",
    }
    archiver = feature(
        name = "archiver_flags",
        enabled = True,
        flag_sets = [flag_set(
            actions = [ACTION_NAMES.cpp_link_static_library],
            flag_groups = [
                flag_group(flags = ["rcsD", "%{output_execpath}"]),
                flag_group(
                    iterate_over = "libraries_to_link",
                    flag_groups = [
                        flag_group(
                            flags = ["%{libraries_to_link.name}"],
                            expand_if_equal = variable_with_value(name = "libraries_to_link.type", value = "object_file"),
                        ),
                        flag_group(
                            flags = ["%{libraries_to_link.object_files}"],
                            iterate_over = "libraries_to_link.object_files",
                            expand_if_equal = variable_with_value(name = "libraries_to_link.type", value = "object_file_group"),
                        ),
                    ],
                ),
            ],
        )],
    )
    opt = feature(
        name = "opt",
        flag_sets = [
            flag_set(actions = _COMPILE, flag_groups = [flag_group(flags = ["-O2", "-DNDEBUG", "-ffunction-sections", "-fdata-sections"])]),
            flag_set(actions = _LINK, flag_groups = [flag_group(flags = ["-Wl,--gc-sections", "-s"])]),
        ],
    )
    return cc_common.create_cc_toolchain_config_info(
        ctx = ctx,
        toolchain_identifier = "mingw-w64",
        host_system_name = "local",
        target_system_name = "windows",
        target_cpu = "x64_windows",
        target_libc = "msvcrt",
        compiler = "gcc",
        abi_version = "gcc",
        abi_libc_version = "msvcrt",
        tool_paths = [tool_path(name = name, path = path) for name, path in tools.items()],
        cxx_builtin_include_directories = [
            "/usr/lib/gcc/x86_64-w64-mingw32",
            "/usr/x86_64-w64-mingw32/include",
            "/usr/share/mingw-w64/include",
        ],
        artifact_name_patterns = [artifact_name_pattern(category_name = "executable", prefix = "", extension = ".exe")],
        features = [
            _flags("mingw_compile", _COMPILE, ["-D_WIN32_WINNT=0x0A00", "-no-canonical-prefixes", "-fno-canonical-system-headers"], enabled = True),
            _flags("mingw_link", _LINK, ["-static", "-Wl,--no-insert-timestamp"], enabled = True),
            opt,
            _flags("dbg", _COMPILE, ["-g"]),
            archiver,
        ],
    )

mingw_config = rule(
    implementation = _impl,
    attrs = {},
    provides = [CcToolchainConfigInfo],
)
