"""The peers that the cases are checked against, and where they are known to differ from what is asked.

A peer's failure that is listed here is a SKIP, and its success a FAIL, so that the table is kept true; what differs by chance only
is marked so. Versions: runc 1.1.5 and crun 1.8.1 (Debian 12), both older than version 1.2 of the specification.
"""

import os
import re
import subprocess

OLDER = "it is older than this part of the specification"
LAX = "it takes values that the specification rules out"
UNKNOWN_CAPABILITY = "unknown capabilities are a warning, as the specification has it since 1.1"
CAPSET = "it takes a capability that it can't grant for a fatal error"
NO_NET_DEVICES = r"config_linux\.net_devices\..*"
RATIME = "access times are one field, which it doesn't clear as a whole, so that the kernel refuses the option"
KILLED = "by chance: what create had made when it was killed is not found again"
LEAVES_GROUPS = "it leaves the groups of a create that failed"

# {peer: [(pattern of whole names, why it differs)]}
DEVIATIONS = {
    "runc": [
        (r"config\.process\.(scheduler|io_priority|exec_cpu_affinity)\..*", OLDER),
        (r"config_linux\.(personality|memory_policy|time_offsets)\.(linux32|is_that|move|an_unknown_domain|wrong|without).*", OLDER),
        (r"config_linux\.namespaces\.a_time_namespace_without_a_path_is_new", OLDER),
        (r"config\.domainname\..*", OLDER),
        (r"config\.mounts\.options\.idmap\..*", OLDER),
        (r"features\.linux\.mount_extensions\..*", OLDER),
        (NO_NET_DEVICES, OLDER),
        (r"config_linux\.cpu\.(burst|idle)\..*", OLDER),
        (r"config_linux\.seccomp\.flags\.(each_is_taken|wait_killable_goes.*)", "it knows no seccomp flags"),
        (r"config_linux\.memory\.kernel_tcp\..*", "it ignores kernelTCP"),
        (r"config\.process\.capabilities\.an_unknown_name.*", UNKNOWN_CAPABILITY),
        (r"config\.process\.capabilities\.one_that_can_not_be_granted.*", CAPSET),
        (r"config_linux\.devices\.(another_file_in_the_place|numbers_that_are_missing).*", LAX),
        (r"config_linux\.allowed_device_list\.wrong_types_and_accesses.*", LAX),
        (r"config_linux\.masked_paths\.masked_and_read_only_paths_that_are_relative.*", LAX),
        (r"config_linux\.seccomp\.(an_errno_for_an_action|a_rule_without_names|listener_metadata).*", LAX),
        (r"config\.specification_version\.(missing_or_no_version|another_major_version).*", LAX),
        (r"glossary\.json\.(names_given_twice|text_that_is_not_utf_8).*", LAX),
        (r"config\.annotations\.unknown_keys_of_our_own.*", "they are ours"),
        (r"config\.annotations\.keep_original_groups.*", "it is crun's"),
        (r"config\.mounts\.options\.those_that_show_nothing.*", "it hands `defaults` to the file system"),
        (r"config\.mounts\.options\.recursive\.access_times.*", RATIME),
        (r"features\.mount_options\..*", RATIME),
        (r"config_linux\.rootfs_propagation\.shared.*", "the root has been made private before"),
        (r"config_linux\.rootfs_propagation\.unbindable.*", "the root is made unbindable before it is bound"),
        (r"config_linux\.namespaces\.path_joins_a_user_namespace", "it wants mappings, though the namespace has its own"),
        (r"config\.hooks\.(each_kind_is_called|get_the_status).*", "poststart hooks are called by create, before the program runs"),
        (r"runtime\.lifecycle\.hooks\.poststart_that_fails.*", "poststart hooks are called by create, before the program runs"),
        (r"runtime\.lifecycle\.hooks\.start_container_that_fails.*", "start doesn't wait for them"),
        (r"runtime\.lifecycle\.hooks\.poststop_that_fails.*", "the rest isn't called"),
        (r"config_linux\.namespaces\.path_joins_(a_namespace_that|all_those).*", OLDER),
        (r"config_linux\.user_namespace_mappings\.may_leave_out_root", "it takes missing root for missing mappings"),
        (r"cli\.kill\.kill_9_ends_all.*", OLDER),
        (r"runtime\.crash\..*", KILLED),
        (r"runtime\.create\.of_many_creates_of_one_id.*", "by chance: a loser takes the winner's state away"),
        (r"cli\.create\.config_names_another_file", "--config is crun's"),
        (r"cli\.cgroup_manager\..*", "--cgroup-manager is crun's"),
        (r"cli\.checkpoint\..*", "it has checkpoints"),
    ],
    "crun": [
        (r"config_linux\.user_namespace_mappings\.may_leave_out_root", "exec becomes root, mapped or not"),
        (r"config_linux\.namespaces\.path_joins_all_those.*", "the joined time namespace is not that of the programs"),
        (r"config\.process\.env\.an_empty_home.*", "HOME stays empty"),
        (r"cli\.kill\.kill_9_ends_all.*", "it ends the first process alone"),
        (r"cli\.update\.sizes_of_memory.*", "it takes bytes only"),
        (r"cli\.ps\.of_a_stopped_container.*", "it crashes"),
        (r"config\.process\.(scheduler|io_priority|exec_cpu_affinity)\..*", OLDER),
        (r"config_linux\.memory_policy\..*", OLDER),
        (NO_NET_DEVICES, OLDER),
        (r"config_linux\.cpu\.burst\..*", OLDER),
        (r"features.*", "there is no such command yet"),
        (r"cli\.events\.(stats|go_on|an_out).*", "there is no such command"),
        (r"config\.process\.capabilities\.an_unknown_name.*", UNKNOWN_CAPABILITY),
        (r"config\.process\.capabilities\.one_that_can_not_be_granted.*", CAPSET),
        (r"config\.process\.cwd\.that_is_relative.*", LAX),
        (r"config\.process\.args\.that_are_empty.*", LAX),
        (r"config_linux\.namespaces\.a_type_given_twice.*", LAX),
        (r"config_linux\.user_namespace_mappings\.without_any.*", "it maps the caller then"),
        (r"config_linux\.time_offsets\.without_a_time_namespace.*", LAX),
        (r"config_linux\.(namespaces\.a_time_namespace|time_offsets\.move).*", "by chance: it ends at a closed socket"),
        (r"config_linux\.mount_label\..*", "it ignores the label"),
        (r"config_linux\.devices\.(another_file_in_the_place|numbers_that_are_missing|an_unknown_type).*", LAX),
        (r"config_linux\.devices\.are_bound_from_the_host.*", "it can't bind devices in a user namespace of its own here"),
        (r"config_linux\.allowed_device_list\.wrong_types.*", LEAVES_GROUPS),
        (r"config_linux\.(memory\.swap_below|cpu\.a_wrong_list|block_io\.of_a_device|huge_page_limits|network|unified\.on_v1).*", LEAVES_GROUPS),
        (r"config_linux\.cpu\.idle\..*", LEAVES_GROUPS),
        (r"config_linux\.block_io\.weight\..*", "it knows blkio.weight only, not that of bfq"),
        (r"config_linux\.pids\.no_positive_number.*", "it writes -1 as it is"),
        (r"config_linux\.rdma\..*", "it ignores it"),
        (r"config_linux\.intel_rdt\..*", "it ignores it"),
        (r"config_linux\.masked_paths\.masked_and_read_only_paths_that_are_relative.*", LAX),
        (r"config_linux\.rootfs_propagation\.(of_another_value|slave).*", LAX),
        (r"config_linux\.seccomp\.(unknown_values|a_rule_without_names|listener_metadata).*", LAX),
        (r"config_linux\.seccomp\.listener_path\.(is_ignored|left_out).*", "the path decides, not the action"),
        (r"config\.specification_version\.any_of_major_version_1.*", OLDER),
        (r"config\.valid_values\..*", LAX),
        (r"glossary\.json\.names_given_twice.*", LAX),
        (r"config\.annotations\.unknown_keys_of_our_own.*", "they are ours"),
        (r"config\.mounts\.options\.(each_sets_its_flag|each_opposite|of_binds_set).*", "it knows no nosymfollow"),
        (r"config\.mounts\.options\.those_that_show_nothing.*", "it hands `loud` to the file system"),
        (r"config\.mounts\.options\.propagation\.is_what_is_written", "a shared mount is not made so"),
        (r"config\.mounts\.options\.recursive\..*", RATIME),
        (r"config\.mounts\.options\.idmap\.idmap_takes_one_mount.*", "its id-mapped binds never take what lies below"),
        (r"config\.hooks\.(get_the_state|get_the_status).*", "startContainer hooks get `/` as bundle, and a status of its own"),
        (r"config\.hooks\.(without_a_stdin_reader).*", "by chance: SIGPIPE ends it when a hook doesn't read"),
        (r"config\.hooks\.wrong_values.*", LAX),
        (r"config\.hooks\.poststop_is_called.*", "on a hybrid layout it makes folders below /sys/fs/cgroup/unified that stay"),
        (r"runtime\.lifecycle\.hooks\.(after_a_failed_one|poststart_that_fails|start_container_that_fails).*", "they are not errors, or not all is called"),
        (r"runtime\.lifecycle\.hooks\.poststop_that_fails.*", "by chance: SIGPIPE ends it when a hook doesn't read"),
        (r"runtime\.create\.ids_that_are_no_name.*", "it takes slashes"),
        (r"runtime\.crash\..*", KILLED),
        (r"cli\.create\.listen_fds.*", "the variable isn't passed on"),
        (r"cli\.run\.(keep_leaves|lends_its_own).*", "--keep is runc's; the terminal's size isn't passed on"),
        (r"cli\.exec\.has_the_environment.*", "it starts in /"),
        (r"cli\.exec\.additional_gids.*", "the option is runc's"),
        (r"cli\.exec\.cgroup_is.*", "it takes another path than runc"),
        (r"cli\.pause\.kill_9.*", "it doesn't thaw"),
        (r"cli\.kill\.signals_may_be.*", "it wants capital letters"),
        (r"cli\.ps\.(as_a_table|passes).*", "it lists pids alone"),
        (r"cli\.state\..*", "rootfs is as in the configuration"),
        (r"cli\.spec\.rootless_maps.*", "it has no mappings there"),
        (r"cli\.errors\.(a_container|a_stopped).*", "it has other texts, which podman knows"),
        (r"cli\.log\.debug.*", "it says nothing more"),
    ],
}


def name(runtime):
    return os.path.basename(runtime)


def is_peer(runtime):
    return name(runtime) in DEVIATIONS


def prepare(runtime):
    """What a peer needs of the host, in the case's mount namespace."""
    # crun takes a hybrid cgroup layout only when it does not see the v2 tree.
    if name(runtime) == "crun" and os.path.isdir("/sys/fs/cgroup/unified"):
        subprocess.run(["umount", "/sys/fs/cgroup/unified"], check=False)


def deviation(runtime, case):
    """Why that peer is known to fail this case, or ''."""
    for pattern, why in DEVIATIONS.get(name(runtime), []):
        if re.fullmatch(pattern, case):
            return why
    return ""
