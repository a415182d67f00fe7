#include "linux_runtime/runtime/options.h"

#include <limits.h>

#include <CLI/CLI.hpp>
#include <sstream>

namespace mxc::runtime {
namespace {

constexpr int kUsageExit = 1;

// "50M" is 52428800; "-1" stays. In place.
std::string ReadSize(std::string& text) {
  static const CLI::AsSizeValue size(false);
  return text.starts_with('-') ? std::string() : size(text);
}

// "100ms", "5s", "1m", "1h"; a number alone is seconds. Milliseconds.
int ReadInterval(const std::string& text) {
  size_t end = 0;
  const double number = std::stod(text, &end);
  double unit = 0;
  for (const auto& [name, milliseconds] : {std::pair{"", 1e3}, {"ms", 1.0}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}}) {
    if (text.substr(end) == name) unit = milliseconds;
  }
  if (number * unit >= 1 && number * unit <= INT_MAX) return static_cast<int>(number * unit);
  throw CLI::ValidationError("--interval", "a time is expected, as in 100ms or 5s");
}

CLI::App* AddCommand(CLI::App& app, Options& options, Command command, const char* name, const char* summary,
                     bool with_id) {
  CLI::App* added = app.add_subcommand(name, summary);
  added->callback([&options, command] { options.command = command; });
  if (with_id) added->add_option("container", options.id, "the container's id")->required()->type_name("ID");
  return added;
}

void AddGlobal(CLI::App& app, Options& options) {
  app.require_subcommand(0, 1);
  app.add_option("--root", options.root, "folder for the state of containers")->type_name("DIR");
  app.add_option("--log", options.log.file, "file that errors are appended to")->type_name("FILE");
  app.add_option_function<std::string>(
         "--log-format",
         [&options](const std::string& format) {
           if (format != "text" && format != "json") throw CLI::ValidationError("--log-format", "it is text or json");
           options.log.json = format == "json";
         },
         "text or json")
      ->type_name("FORMAT");
  app.add_flag("--debug", options.log.debug, "log warnings and what is done, too");
  app.add_option_function<std::string>(
         "--cgroup-manager",
         [&options](const std::string& name) {
           if (name == "cgroupfs")
             options.manager = cgroup::ManagerKind::kCgroupfs;
           else if (name == "systemd")
             options.manager = cgroup::ManagerKind::kSystemd;
           else if (name == "disabled")
             options.manager = cgroup::ManagerKind::kDisabled;
           else
             throw CLI::ValidationError("--cgroup-manager", "it is cgroupfs, systemd or disabled");
         },
         "cgroupfs, systemd or disabled")
      ->type_name("MANAGER");
  app.add_flag_callback(
      "--systemd-cgroup", [&options] { options.manager = cgroup::ManagerKind::kSystemd; },
      "the same as --cgroup-manager systemd");
  app.add_option_function<std::string>(
         "--rootless", [](const std::string&) {}, "accepted for runc's callers; what the caller may do is found out")
      ->type_name("true|false|auto");
  app.add_flag_callback(
      "-v,--version", [&options] { options.command = Command::kVersion; }, "print the version");
}

void AddProcessOptions(CLI::App* command, Options& options) {
  command->add_option("--console-socket", options.console_socket, "unix socket that takes the terminal's master")
      ->type_name("PATH");
  command->add_option("--pid-file", options.pid_file, "file for the pid of the first process")->type_name("FILE");
  command->add_option("--preserve-fds", options.preserve_fds, "descriptors from 3 on that the program gets")
      ->type_name("N");
}

CLI::App* AddCreation(CLI::App& app, Options& options, Command command, const char* name, const char* summary) {
  CLI::App* added = AddCommand(app, options, command, name, summary, true);
  added->add_option("-b,--bundle", options.bundle, "folder of the bundle, by default the current one")
      ->type_name("DIR");
  added->add_option("-f,--config", options.config, "configuration, by default config.json of the bundle")
      ->type_name("FILE");
  AddProcessOptions(added, options);
  added->add_flag("--no-pivot", options.no_pivot, "move the root instead of pivot_root, for an initramfs");
  added->add_flag("--no-new-keyring", options.no_new_keyring, "keep the caller's session keyring");
  added->add_flag_callback(
      "--no-subreaper", [] {}, "accepted for runc's callers; this runtime is never a subreaper");
  return added;
}

void AddExec(CLI::App& app, Options& options) {
  CLI::App* exec = AddCommand(app, options, Command::kExec, "exec", "run another program in a container", true);
  exec->prefix_command();
  ExecArguments& own = options.exec;
  exec->add_option("-p,--process", own.process, "file with the process as JSON")->type_name("FILE");
  exec->add_option("--cwd", own.cwd, "working folder")->type_name("DIR");
  exec->add_option("-e,--env", own.env, "NAME=VALUE, may be repeated")
      ->type_name("VARIABLE")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  exec->add_option("-u,--user", own.user, "UID[:GID]")->type_name("USER");
  exec->add_option("-g,--additional-gids", own.groups, "supplementary group, may be repeated")
      ->type_name("GID")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  exec->add_option("-c,--cap", own.capabilities, "add a capability, may be repeated")
      ->type_name("NAME")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  exec->add_option("--apparmor", own.apparmor, "AppArmor profile")->type_name("NAME");
  exec->add_option("--process-label", own.label, "SELinux label")->type_name("LABEL");
  exec->add_option("--cgroup", own.cgroups, "a group below the container's own; v1: CONTROLLERS:PATH")
      ->type_name("PATH")
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  exec->add_flag("-t,--tty", own.tty, "with a terminal");
  exec->add_flag("-d,--detach", options.detach, "don't wait for its end");
  exec->add_flag("--no-new-privs", own.no_new_privileges, "set no_new_privs");
  exec->add_flag("--ignore-paused", own.ignore_paused, "also in a paused container");
  AddProcessOptions(exec, options);
}

void AddUpdate(CLI::App& app, Options& options) {
  CLI::App* update = AddCommand(app, options, Command::kUpdate, "update", "change a container's limits", true);
  UpdateOptions& own = options.update;
  update->add_option("-r,--resources", own.resources, "linux.resources as JSON; - is standard input")
      ->type_name("FILE");
  auto add_size = [update](const char* name, std::optional<int64_t>& size, const char* summary) {
    update->add_option(name, size, summary)->transform(CLI::Validator(ReadSize, "SIZE"));
  };
  add_size("--memory", own.memory, "bytes, or as in 50M; -1: unlimited");
  add_size("--memory-reservation", own.memory_reservation, "bytes");
  add_size("--memory-swap", own.memory_swap, "memory and swap, bytes; -1: unlimited");
  add_size("--kernel-memory", own.kernel_memory, "bytes");
  add_size("--kernel-memory-tcp", own.kernel_memory_tcp, "bytes");
  update->add_option("--cpu-period", own.cpu_period, "microseconds");
  update->add_option("--cpu-quota", own.cpu_quota, "microseconds");
  update->add_option("--cpu-burst", own.cpu_burst, "microseconds");
  update->add_option("--cpu-share,--cpu-shares", own.cpu_shares, "2 to 262144");
  update->add_option("--cpu-rt-period", own.cpu_rt_period, "microseconds");
  update->add_option("--cpu-rt-runtime", own.cpu_rt_runtime, "microseconds");
  update->add_option("--cpu-idle", own.cpu_idle, "0 or 1");
  update->add_option("--cpuset-cpus", own.cpuset_cpus, "list, 0-3,7");
  update->add_option("--cpuset-mems", own.cpuset_mems, "list");
  update->add_option("--pids-limit", own.pids_limit, "processes; -1: unlimited");
  update->add_option("--blkio-weight", own.blkio_weight, "10 to 1000");
}

void Define(CLI::App& app, Options& options) {
  AddGlobal(app, options);
  AddCreation(app, options, Command::kCreate, "create", "make a container that waits for `start`");
  CLI::App* run = AddCreation(app, options, Command::kRun, "run", "create, start, wait and delete");
  run->add_flag("-d,--detach", options.detach, "don't wait for its end");
  run->add_flag("--keep", options.keep, "don't delete it at its end");
  AddCommand(app, options, Command::kStart, "start", "let a created container run its program", true);
  AddCommand(app, options, Command::kState, "state", "print the state as JSON", true);
  CLI::App* kill = AddCommand(app, options, Command::kKill, "kill", "send a signal", true);
  kill->add_option("signal", options.signal, "name or number, by default SIGTERM")->type_name("SIGNAL");
  kill->add_flag("-a,--all", options.all, "to every process of the container");
  CLI::App* erase = AddCommand(app, options, Command::kDelete, "delete", "remove what a container has", true);
  erase->add_flag("-f,--force", options.force, "kill it first; no error when it doesn't exist");
  AddExec(app, options);
  CLI::App* ps = AddCommand(app, options, Command::kPs, "ps", "list the processes", true);
  ps->prefix_command();
  ps->add_option("-f,--format", options.format, "table or json")->type_name("FORMAT");
  CLI::App* list = AddCommand(app, options, Command::kList, "list", "list the containers", false);
  list->add_option("-f,--format", options.format, "table or json")->type_name("FORMAT");
  list->add_flag("-q,--quiet", options.quiet, "ids only");
  AddCommand(app, options, Command::kPause, "pause", "stop every process", true);
  AddCommand(app, options, Command::kResume, "resume", "let them go on", true);
  AddUpdate(app, options);
  CLI::App* events =
      AddCommand(app, options, Command::kEvents, "events", "print what a container uses, as JSON lines", true);
  events->add_flag("--stats", options.stats, "once");
  events
      ->add_option_function<std::string>(
          "--interval", [&options](const std::string& text) { options.interval_ms = ReadInterval(text); },
          "time between two lines")
      ->type_name("TIME");
  CLI::App* spec = AddCommand(app, options, Command::kSpec, "spec", "write a config.json to start from", false);
  spec->add_option("-b,--bundle", options.bundle, "folder of the bundle")->type_name("DIR");
  spec->add_flag("--rootless", options.rootless, "for a caller who isn't root");
  AddCommand(app, options, Command::kFeatures, "features", "print what this runtime can do, as JSON", false);
  for (auto [command, name] :
       {std::pair{Command::kCheckpoint, "checkpoint"}, std::pair{Command::kRestore, "restore"}}) {
    AddCommand(app, options, command, name, "out of scope; says so", false)->prefix_command();
  }
}

}  // namespace

Parsed ParseCommandLine(int argc, char** argv) {
  Options options;
  Parsed parsed;
  CLI::App app("An OCI runtime that confines more by default.", "mxc-runtime");
  Define(app, options);
  try {
    app.parse(argc, argv);
    const bool asked_version = app.count("--version") != 0;
    if (app.get_subcommands().empty() && !asked_version) throw CLI::CallForHelp();
    for (CLI::App* command : app.get_subcommands()) {
      options.arguments = command->remaining();
      if (asked_version) options.command = Command::kVersion;
    }
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, errors;
    parsed.exit_code = app.exit(error, out, errors) == 0 ? 0 : kUsageExit;
    parsed.message = out.str() + errors.str();
    return parsed;
  } catch (const std::exception&) {
    parsed.exit_code = kUsageExit;
    parsed.message = "mxc-runtime: a number is expected\n";
    return parsed;
  }
  if (!options.arguments.empty() && options.arguments[0] == "--") options.arguments.erase(options.arguments.begin());
  parsed.options = std::move(options);
  return parsed;
}

}  // namespace mxc::runtime
