#include "shared/client/options.h"

#include <CLI/CLI.hpp>
#include <sstream>
#include <string_view>

namespace mxc::client {
namespace {

constexpr int kUsageExit = 125;

Color ParseColor(const std::string& when) {
  if (when == "auto") return Color::kAuto;
  if (when == "always") return Color::kAlways;
  if (when == "never") return Color::kNever;
  throw CLI::ValidationError("--color", "it is auto, always or never, not \"" + when + "\"");
}

// Adds what every command that reads a policy takes.
void AddPolicyOptions(CLI::App* command, Options& options) {
  command->add_option("-p,--policy", options.policy, "MXC policy, JSON or YAML; - is standard input")
      ->type_name("FILE");
  command->add_option("--profile", options.profile, "profile that gives the defaults")->type_name("NAME");
  command->add_option("--host-facts", options.host_facts, "facts of another host as JSON: its `mxc doctor --facts`")
      ->type_name("FILE");
}

CLI::App* AddCommand(CLI::App& app, Command command, const char* name, const char* summary, Options& options) {
  CLI::App* added = app.add_subcommand(name, summary);
  added->callback([&options, command] { options.command = command; });
  return added;
}

void AddClaims(CLI::App* command, Options& options) {
  command->add_option("--agent", options.agent, "which agent asks, for the audit: a claim, nothing is decided by it")
      ->type_name("ID");
  command->add_option("--tool-call", options.tool_call, "which call of the agent's, for the audit")->type_name("ID");
}

CLI::App* AddSessionCommand(CLI::App& app, Command command, const char* name, const char* summary, Options& options) {
  CLI::App* added = AddCommand(app, command, name, summary, options);
  added->add_option("session", options.session, "as `provision` printed it")->required()->type_name("SESSION");
  return added;
}

void DefineSessions(CLI::App& app, Options& options) {
  CLI::App* provision =
      AddCommand(app, Command::kProvision, "provision", "lay out a session under a policy; prints its name", options);
  provision->add_option("-p,--policy", options.policy, "MXC policy, JSON or YAML; - is standard input")
      ->type_name("FILE");
  provision->add_option("--profile", options.profile, "profile that gives the defaults")->type_name("NAME");
  provision->add_option("--name", options.name, "label of the session")->type_name("NAME");
  provision->add_option("--idle-timeout", options.idle_timeout_s, "ends after so long without a program and a client")
      ->type_name("SECONDS");
  provision->add_option("--lifetime", options.lifetime_s, "ends after so long whatever happens")->type_name("SECONDS");
  AddClaims(provision, options);
  AddSessionCommand(app, Command::kStart, "start", "make a session's sandbox", options);
  CLI::App* exec = AddSessionCommand(app, Command::kExec, "exec", "run a program in a session", options);
  exec->add_option("--env", options.env, "a variable of its own; may be given again")->type_name("NAME=VALUE");
  exec->add_flag("--clear-env", options.clear_env, "no variable of the session's, only those of --env");
  exec->add_option("--cwd", options.cwd, "its working folder inside")->type_name("PATH");
  exec->add_option("--timeout", options.timeout_ms, "ends it after so long")->type_name("MS");
  exec->add_flag("-d,--detach", options.detach, "print its number and leave it running");
  AddClaims(exec, options);
  AddSessionCommand(app, Command::kAttach, "attach", "take over the streams of a session's program", options)
      ->add_option("program", options.program, "its number; without one, the last")
      ->type_name("NUMBER");
  AddSessionCommand(app, Command::kLogs, "logs", "print what a session's program has said so far", options)
      ->add_option("program", options.program, "its number; without one, the last")
      ->type_name("NUMBER");
  AddSessionCommand(app, Command::kStop, "stop", "end a session's programs and its sandbox", options);
  AddSessionCommand(app, Command::kDeprovision, "deprovision", "stop a session and forget it", options);
  AddCommand(app, Command::kList, "list", "list the sessions", options)->add_flag("--json", options.json, "as JSON");
  AddSessionCommand(app, Command::kInspect, "inspect", "tell all of a session, as JSON", options);
}

void Define(CLI::App& app, Options& options, const Offer& offer) {
  app.require_subcommand(1);
  // CLI11's default on Windows, where it would take /home/me for an option.
  app.allow_windows_style_options(false);
  app.add_option_function<std::string>(
         "--color", [&options](const std::string& when) { options.color = ParseColor(when); }, "auto, always or never")
      ->type_name("WHEN");

  if (offer.run) {
    CLI::App* run = AddCommand(app, Command::kRun, "run", "run a program under a policy", options);
    AddPolicyOptions(run, options);
    run->add_option("--spec", options.spec, "OCI spec (of `mxc spec`) instead of a policy; - is standard input")
        ->type_name("FILE");
    run->add_option("--report", options.report, "write the exit report; - is standard output")->type_name("FILE");
    run->add_option("--name", options.name, "label of this run")->type_name("NAME");
    if (offer.sessions) {
      run->add_flag("--daemon", options.daemon, "let mxcd hold the sandbox");
      AddClaims(run, options);
    }
    run->footer(
        "After -- comes the command; without it the policy's commandLine runs by sh -c.\n"
        "Exit status: the program's; 128+N signal N; 124 time-out; 125 mxc; 126, 127 not run.");
    CLI::App* plan = AddCommand(app, Command::kPlan, "plan", "print the steps that `run` would take", options);
    AddPolicyOptions(plan, options);
    plan->add_option("--spec", options.spec, "OCI spec instead of a policy")->type_name("FILE");
  }
  if (offer.distributions) {
    app.add_option("--distribution", options.distribution, "of WSL; without it, the default one")->type_name("NAME");
    app.add_option("--user", options.user, "account in the distribution; without it, its default user")
        ->type_name("NAME");
    CLI::App* run = AddCommand(app, Command::kRun, "run", "run a program under a policy, in the distribution", options);
    run->add_option("-p,--policy", options.policy, "MXC policy, JSON or YAML; - is standard input")->type_name("FILE");
    run->add_option("--profile", options.profile, "profile that gives the defaults")->type_name("NAME");
    run->add_option("--name", options.name, "label of this run")->type_name("NAME");
    AddClaims(run, options);
    CLI::App* plan = AddCommand(app, Command::kPlan, "plan", "print the steps that `run` would take", options);
    plan->add_option("-p,--policy", options.policy, "MXC policy, JSON or YAML; - is standard input")->type_name("FILE");
    plan->add_option("--profile", options.profile, "profile that gives the defaults")->type_name("NAME");
    CLI::App* hold =
        AddCommand(app, Command::kHold, "__hold", "keep the distribution alive while sessions run", options);
    hold->group("");  // not shown: `start` runs it
    hold->add_option("--every", options.every_ms)->check(CLI::PositiveNumber);
    hold->add_option("--linger", options.linger_ms);
    options.daemon = true;
  }
  if (offer.sessions) DefineSessions(app, options);
  AddPolicyOptions(AddCommand(app, Command::kSpec, "spec", "print the policy as an OCI runtime spec", options),
                   options);
  CLI::App* check =
      AddCommand(app, Command::kCheck, "check", "validate a policy; print what it comes to, and why", options);
  AddPolicyOptions(check, options);
  check->add_flag("--all", options.all, "every path, also those of the profile");
  check->add_flag("--strict", options.strict, "refuse fields that no Linux host can give an effect");
  AddCommand(app, Command::kMigrate, "migrate", "print a policy of an older contract in the newest form", options)
      ->add_option("file", options.policy, "the policy, JSON or YAML; - is standard input")
      ->required()
      ->type_name("OLD");
  CLI::App* why = AddCommand(app, Command::kWhy, "why", "say which rule decides on an operation", options);
  AddPolicyOptions(why, options);
  why->add_option("question", options.why,
                  "read, list, write, create, delete or execute PATH; connect ADDRESS; syscall NAME; env NAME")
      ->required()
      ->expected(2)
      ->type_name("OPERATION OBJECT");
  AddCommand(app, Command::kProfiles, "profiles", "list the profiles", options)
      ->add_option("name", options.profile, "print this one in full")
      ->type_name("NAME");
  if (offer.run || offer.distributions) {
    CLI::App* doctor = AddCommand(app, Command::kDoctor, "doctor",
                                  offer.run ? "say what this host can enforce, and what to do about the rest"
                                            : "say what stands between here and a sandbox, and what to do about it",
                                  options);
    doctor->add_flag("--json", options.json, "as JSON");
    doctor->add_flag("--facts", options.facts,
                     offer.run ? "the facts that translating a policy depends on, as JSON"
                               : "the distribution's facts, as JSON for --host-facts");
  }
  AddCommand(app, Command::kVersion, "version", "print the version", options);
}

bool TakesCommand(Command command) {
  switch (command) {
    case Command::kRun:
    case Command::kPlan:
    case Command::kSpec:
    case Command::kCheck:
    case Command::kMigrate:
    case Command::kExec:
      return true;
    default:
      return false;
  }
}

}  // namespace

Parsed ParseCommandLine(int argc, char** argv, const Offer& offer) {
  Options options;
  Parsed parsed;
  // What stands after -- is the program's, never ours.
  int own = 1;
  while (own < argc && std::string_view(argv[own]) != "--") ++own;
  for (int index = own + 1; index < argc; ++index) options.argv.emplace_back(argv[index]);

  CLI::App app("Runs programs under an MXC policy: files, network, processes and limits.", offer.program);
  Define(app, options, offer);
  if (own == 1) {
    parsed.exit_code = kUsageExit;
    parsed.message = app.help();
    return parsed;
  }
  try {
    app.parse(own, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, errors;
    int code = app.exit(error, out, errors);
    parsed.exit_code = code == 0 ? 0 : kUsageExit;
    parsed.message = out.str() + errors.str();
    return parsed;
  }
  if (options.spec && (options.policy || options.profile)) {
    parsed.exit_code = kUsageExit;
    parsed.message = "--spec brings everything with it: give it without --policy and --profile\n";
    return parsed;
  }
  if (options.command == Command::kExec && options.argv.empty()) {
    parsed.exit_code = kUsageExit;
    parsed.message = "no program is named: mxc exec SESSION -- COMMAND\n";
    return parsed;
  }
  const bool takes_command = TakesCommand(options.command);
  if (own < argc && (!takes_command || options.argv.empty())) {
    parsed.exit_code = kUsageExit;
    parsed.message = takes_command ? "after -- a command is expected\n" : "this command takes no program after --\n";
    return parsed;
  }
  parsed.options = std::move(options);
  return parsed;
}

}  // namespace mxc::client
