#include "shared/policy/contract_sections.h"

#include <utility>

#include "shared/policy/contract_values.h"

namespace mxc::policy {
namespace {

Result<void> ReadCwd(const Node& node, Process& process) {
  if (node.value().kind != Kind::kString) return node.Expected("a path");
  process.cwd.reset();
  if (node.value().text.empty()) return {};  // the contract's way to say "none"
  return Store(process.cwd, ReadPath(node));
}

constexpr Field<Process> kProcess[] = {
    {"commandLine",
     [](const Node& node, Process& process) { return Store(process.command_line, node.NonEmptyString()); }},
    {"cwd", ReadCwd},
    {"env", [](const Node& node, Process& process) { return Store(process.env, ReadEnvironment(node)); }},
    {"inheritDefaultEnv",
     [](const Node& node, Process& process) { return Store(process.inherit_default_env, node.Bool()); }},
    {"timeout", [](const Node& node, Process& process) { return Store(process.timeout_ms, node.U32()); }},
};

constexpr Field<Filesystem> kFilesystem[] = {
    {"readonlyPaths", [](const Node& node, Filesystem& files) { return Store(files.readonly_paths, ReadPaths(node)); }},
    {"readwritePaths",
     [](const Node& node, Filesystem& files) { return Store(files.readwrite_paths, ReadPaths(node)); }},
    {"deniedPaths", [](const Node& node, Filesystem& files) { return Store(files.denied_paths, ReadPaths(node)); }},
};

constexpr Choice<Clipboard> kClipboard[] = {
    {"none", Clipboard::kNone}, {"read", Clipboard::kRead}, {"write", Clipboard::kWrite}, {"all", Clipboard::kAll}};

constexpr Field<Ui> kUi[] = {
    {"disable", [](const Node& node, Ui& ui) { return Store(ui.disable, node.Bool()); }},
    {"clipboard", [](const Node& node, Ui& ui) { return Store(ui.clipboard, node.Enum(kClipboard)); }},
    {"injection", [](const Node& node, Ui& ui) { return Store(ui.injection, node.Bool()); }},
};

constexpr Field<Lifecycle> kLifecycle[] = {
    {"destroyOnExit", [](const Node& node, Lifecycle& cycle) { return Store(cycle.destroy_on_exit, node.Bool()); }},
    {"preservePolicy", [](const Node& node, Lifecycle& cycle) { return Store(cycle.preserve_policy, node.Bool()); }},
};

constexpr Field<Lxc> kLxc[] = {
    {"distribution", [](const Node& node, Lxc& lxc) { return Store(lxc.distribution, node.NonEmptyString()); },
     kRequired},
    {"release", [](const Node& node, Lxc& lxc) { return Store(lxc.release, node.NonEmptyString()); }, kRequired},
};

constexpr Field<bool> kFallback[] = {
    {"allowDaclMutation", [](const Node& node, bool& allow) { return Store(allow, node.Bool()); }},
};

constexpr Field<bool> kTelemetry[] = {
    {"enabled", [](const Node& node, bool& enabled) { return Store(enabled, node.Bool()); }},
};

}  // namespace

Result<void> ReadProcess(const Node& node, bool command_optional, Process& into) {
  MXC_TRY(ReadObject(node, kProcess, into));
  if (into.command_line.empty() && !command_optional) {
    return MissingField(node, "commandLine").WithHint("name the command, or give one after -- on the command line");
  }
  return {};
}

Result<void> ReadFilesystem(const Node& node, Filesystem& into) { return ReadObject(node, kFilesystem, into); }
Result<void> ReadUi(const Node& node, Ui& into) { return ReadObject(node, kUi, into); }
Result<void> ReadLifecycle(const Node& node, Lifecycle& into) { return ReadObject(node, kLifecycle, into); }
Result<void> ReadLxc(const Node& node, Lxc& into) { return ReadObject(node, kLxc, into); }
Result<void> ReadFallback(const Node& node, bool& allow) { return ReadObject(node, kFallback, allow); }
Result<void> ReadTelemetry(const Node& node, bool& enabled) { return ReadObject(node, kTelemetry, enabled); }

}  // namespace mxc::policy
