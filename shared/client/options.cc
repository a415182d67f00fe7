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
    run->footer(
        "After -- comes the command; without it the policy's commandLine runs by sh -c.\n"
        "Exit status: the program's; 128+N signal N; 124 time-out; 125 mxc; 126, 127 not run.");
    CLI::App* plan = AddCommand(app, Command::kPlan, "plan", "print the steps that `run` would take", options);
    AddPolicyOptions(plan, options);
    plan->add_option("--spec", options.spec, "OCI spec instead of a policy")->type_name("FILE");
  }
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
  if (offer.run) {
    AddCommand(app, Command::kDoctor, "doctor", "say what this host can enforce, and what to do about the rest",
               options)
        ->add_flag("--json", options.json, "as JSON");
    app.get_subcommand("doctor")->add_flag("--facts", options.facts,
                                           "the facts that translating a policy depends on, as JSON");
  }
  AddCommand(app, Command::kVersion, "version", "print the version", options);
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
  bool takes_command = options.command != Command::kProfiles && options.command != Command::kDoctor &&
                       options.command != Command::kVersion && options.command != Command::kWhy;
  if (own < argc && (!takes_command || options.argv.empty())) {
    parsed.exit_code = kUsageExit;
    parsed.message = takes_command ? "after -- a command is expected\n" : "this command takes no program after --\n";
    return parsed;
  }
  parsed.options = std::move(options);
  return parsed;
}

}  // namespace mxc::client
