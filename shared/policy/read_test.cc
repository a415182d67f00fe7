#include "shared/policy/read.h"

#include <doctest/doctest.h>

#include <string>

#include "shared/policy/read_case.h"

namespace mxc::policy {
namespace {

const std::string kNotObject = " | use { \"name\": value }, not [ … ]";
const std::string kFiller = " | leave the field out instead of null";

TEST_CASE("The version is read before anything else") {
  const std::string known =
      "0.4.0-alpha, 0.5.0-alpha, 0.6.0-alpha, 0.7.0-alpha, 0.8.0-alpha, 0.9.0-alpha, 1.0.0, 1.1.0-alpha";
  const std::string unknown = "; known: " + known + " | versions are compared letter by letter";
  const std::vector<ReadCase> cases = {
      {"[]", "1:1 : expected an object, found an array" + kNotObject},
      {"3", "1:1 : expected an object, found the number 3"},
      {"{}", "1:1 /version: required field \"version\" is missing | add \"version\": \"1.0.0\""},
      {"{\"nonsense\":1}", "1:1 /version: required field \"version\" is missing | add \"version\": \"1.0.0\""},
      {"{\"nonsense\":1,\"version\":\"9\"}", "1:25 /version: unknown contract version \"9\"" + unknown},
      {"{\"version\":1.0}", "1:12 /version: expected a string, found the number 1.0 | put it in double quotes"},
      {"{\"version\":null}", "1:12 /version: expected a string, found null" + kFiller},
      {"{\"version\":\"1.0\"}", "1:12 /version: unknown contract version \"1.0\"" + unknown},
      {"{\"version\":\"1.0.1\"}", "1:12 /version: unknown contract version \"1.0.1\"" + unknown},
      {"{\"version\":\" 1.0.0\"}", "1:12 /version: unknown contract version \" 1.0.0\"" + unknown},
      {"{\"version\":\"0.9.0-ALPHA\"}", "1:12 /version: unknown contract version \"0.9.0-ALPHA\"" + unknown},
      {"{\"version\":\"1.0.0\",\"version\":\"1.0.0\"}",
       "1:20 /version: the key \"version\" stands twice in its object | remove one of the two: readers disagree about "
       "which one "
       "counts"},
      // In YAML 1.0.0 needs no quotes; 1.0 does.
      {"version: 1.0.0\nprocess: {commandLine: x}\n", "ok"},
      {"version: 1.0\n", "1:10 /version: expected a string, found the number 1.0 | put it in double quotes"},
  };
  CheckReads(cases);
}

TEST_CASE("The root: required, unknown, state-aware") {
  const std::string known =
      " | known here: $schema, _comment, version, containerId, containment, lifecycle, process, filesystem, fallback, "
      "network, runtimeConfig, ui, lxc, telemetry, processContainer, seatbelt, hyperlight, windowsSandbox, "
      "test, wslc, x-linux";
  CheckReads({
      {"{\"version\":\"1.0.0\"}",
       "1:1 /process: required field \"process\" is missing | add \"process\": { \"commandLine\": … }, "
       "or give a command after --"},
      {With("\"_comment\":null"), "ok"},
      {With("\"_comment\":{\"a\":[1,null]}"), "ok"},
      {With("\"$schema\":\"x\""), "ok"},
      {With("\"$schema\":1"), "2:11 /$schema: expected a string, found the number 1 | put it in double quotes"},
      {With("\"containerId\":\"../x y\""), "ok"},
      {With("\"containerId\":\"\""), "ok"},
      {With("\"containerId\":null"), "2:15 /containerId: expected a string, found null" + kFiller},
      {With("\"containerID\":\"a\""),
       "2:1 /containerID: unknown field \"containerID\"; did you mean \"containerId\"?" + known},
      {With("\"fileSystem\":{}"),
       "2:1 /fileSystem: unknown field \"fileSystem\"; did you mean \"filesystem\"?" + known},
      {With("\"xLinux\":{}"), "2:1 /xLinux: unknown field \"xLinux\"; did you mean \"x-linux\"?" + known},
      {With("\"x\":{}"), "2:1 /x: unknown field \"x\"" + known},
      {With("\"phase\":\"start\""),
       "2:1 /phase: UNSUPPORTED expected a one-shot request, found a state-aware one (\"phase\") | remove the field "
       "for a "
       "one-shot request"},
      {With("\"nonsense\":1,\"sandboxId\":\"wslc:1\""),
       "2:14 /sandboxId: UNSUPPORTED expected a one-shot request, found a state-aware one (\"sandboxId\") | remove the "
       "field for "
       "a one-shot request"},
      {With("\"telemetry\":{\"enabled\":true}"), "ok"},
      {With("\"telemetry\":{\"enabled\":0}"), "2:24 /telemetry/enabled: expected true or false, found the number 0"},
      {With("\"telemetry\":{\"on\":true}"), "2:14 /telemetry/on: unknown field \"on\" | known here: enabled"},
      {With("\"fallback\":{\"allowDaclMutation\":false}"), "ok"},
      {With("\"fallback\":[]"), "2:12 /fallback: expected an object, found an array" + kNotObject},
      {With("\"lifecycle\":{\"destroyOnExit\":false,\"preservePolicy\":true}"), "ok"},
      {With("\"lifecycle\":{\"destroyOnExit\":\"no\"}"),
       "2:30 /lifecycle/destroyOnExit: expected true or false, found the string \"no\" | write false, without quotes"},
      {With("\"ui\":{\"clipboard\":\"all\",\"disable\":false,\"injection\":true}"), "ok"},
      {With("\"ui\":{\"clipboard\":\"None\"}"),
       "2:19 /ui/clipboard: expected one of \"none\", \"read\", \"write\", \"all\", found the string \"None\" | did "
       "you mean "
       "\"none\"?"},
      {With("\"ui\":null"), "2:6 /ui: expected an object, found null" + kFiller},
  });
}

TEST_CASE("process") {
  const auto process = [](const std::string& body) { return "{\"version\":\"1.0.0\",\n\"process\":" + body + "}"; };
  const std::string u32 = "expected a whole number from 0 to 4294967295, found ";
  CheckReads({
      {process("{\"commandLine\":\"  \"}"), "ok"},
      {process("{}"),
       "2:11 /process/commandLine: required field \"commandLine\" is missing | name the command, or give one after "
       "-- on the command line"},
      {process("[\"echo hi\"]"), "2:11 /process: expected an object, found an array" + kNotObject},
      {process("\"echo\""), "2:11 /process: expected an object, found the string \"echo\""},
      {process("{\"commandLine\":\"\"}"),
       "2:26 /process/commandLine: expected a string that is not empty, found the string \"\""},
      {process("{\"commandLine\":[\"a\"]}"), "2:26 /process/commandLine: expected a string, found an array"},
      {process("{\"commandLine\":\"a\\u0000b\"}"),
       "2:26 /process/commandLine: the string holds a NUL character | remove it: no path, name or argument can hold "
       "one"},
      {process("{\"commandLine\":\"x\",\"args\":[]}"),
       "2:30 /process/args: unknown field \"args\" | known here: commandLine, cwd, env, inheritDefaultEnv, timeout"},
      {process("{\"commandLine\":\"x\",\"cwd\":\"\"}"), "ok"},
      {process("{\"commandLine\":\"x\",\"cwd\":\"/a/b\"}"), "ok"},
      {process("{\"commandLine\":\"x\",\"cwd\":\"C:\\\\a\"}"), "ok"},
      {process("{\"commandLine\":\"x\",\"cwd\":\"a\"}"),
       "2:36 /process/cwd: the path \"a\" is not absolute | write it from / on"},
      {process("{\"commandLine\":\"x\",\"cwd\":3}"), "2:36 /process/cwd: expected a path, found the number 3"},
      {process("{\"commandLine\":\"x\",\"env\":[]}"), "ok"},
      {process("{\"commandLine\":\"x\",\"env\":[\"A=\",\"B==\",\"A=1\"]}"), "ok"},
      {process("{\"commandLine\":\"x\",\"env\":[\"A=\",\"B\"]}"),
       "2:42 /process/env/1: the environment entry \"B\" has no = | write \"NAME=VALUE\""},
      {process("{\"commandLine\":\"x\",\"env\":[\"=x\"]}"),
       "2:37 /process/env/0: the environment entry has no name before = | write \"NAME=VALUE\""},
      {process("{\"commandLine\":\"x\",\"env\":{\"A\":\"1\"}}"),
       "2:36 /process/env: expected an array, found an object"},
      {process("{\"commandLine\":\"x\",\"env\":\"A=1\"}"),
       "2:36 /process/env: expected an array, found the string \"A=1\" | put it in brackets: [\"A=1\"]"},
      {process("{\"commandLine\":\"x\",\"env\":[1]}"),
       "2:37 /process/env/0: expected a string, found the number 1 | put it in double quotes"},
      {process("{\"commandLine\":\"x\",\"timeout\":4294967295}"), "ok"},
      {process("{\"commandLine\":\"x\",\"timeout\":4294967296}"),
       "2:40 /process/timeout: " + u32 + "the number 4294967296"},
      {process("{\"commandLine\":\"x\",\"timeout\":-1}"), "2:40 /process/timeout: " + u32 + "the number -1"},
      {process("{\"commandLine\":\"x\",\"timeout\":1.5}"), "2:40 /process/timeout: " + u32 + "the number 1.5"},
      {process("{\"commandLine\":\"x\",\"timeout\":\"5\"}"),
       "2:40 /process/timeout: " + u32 + "the string \"5\" | remove the quotes"},
      {process("{\"commandLine\":\"x\",\"inheritDefaultEnv\":true}"), "ok"},
  });
}

TEST_CASE("filesystem: paths are absolute, of a length that Linux takes, or in a Windows spelling") {
  const auto paths = [](const std::string& list) { return With("\"filesystem\":{\"readonlyPaths\":" + list + "}"); };
  const std::string at = "2:32 /filesystem/readonlyPaths/0: ";
  const std::string name255(255, 'n'), name256(256, 'n');
  std::string path4095 = "/";
  while (path4095.size() < 4095) path4095 += path4095.size() % 2 != 0 ? "d" : "/";
  CheckReads({
      {paths("[]"), "ok"},
      {paths("[\"/\",\"/a/../b\",\"/caf\xC3\xA9\"]"), "ok"},
      {paths("[\"C:\\\\Users\\\\x\",\"\\\\\\\\?\\\\C:\\\\x\",\"\\\\\\\\wsl.localhost\\\\Debian\\\\x\",\"\\\\\\\\wsl$"
             "\\\\Debian\\\\x\"]"),
       "ok"},
      {paths("[\"\"]"), at + "the path is empty | remove the entry"},
      {paths("[\"a/b\"]"), at + "the path \"a/b\" is not absolute | write it from / on"},
      {paths("[\"./a\"]"), at + "the path \"./a\" is not absolute | write it from / on"},
      {paths("[\"~/a\"]"), at + "the path \"~/a\" is not absolute | ~ is not expanded; write the home directory out"},
      {paths("[\"$HOME\"]"), at + "the path \"$HOME\" is not absolute | write it from / on"},
      {paths("[\"/a\\u0000\"]"),
       at + "the string holds a NUL character | remove it: no path, name or argument can hold one"},
      {paths("[\"/" + name255 + "\"]"), "ok"},
      {paths("[\"/a/" + name256 + "/b\"]"), at + "a name in the path is 256 bytes long; Linux takes at most 255"},
      {paths("[\"C:\\\\" + name256 + "\"]"), at + "a name in the path is 256 bytes long; Linux takes at most 255"},
      {paths("[\"" + path4095 + "\"]"), "ok"},
      {paths("[\"" + path4095 + "d\"]"), at + "the path is 4096 bytes long; Linux takes at most 4095"},
      {paths("[null]"), at + "expected a path, found null | leave the field out instead of null"},
      {paths("null"),
       "2:31 /filesystem/readonlyPaths: expected an array, found null | leave the field out instead of null"},
      {paths("\"/a\""),
       "2:31 /filesystem/readonlyPaths: expected an array, found the string \"/a\" | put it in brackets: [\"/a\"]"},
      {With("\"filesystem\":{\"readOnlyPaths\":[]}"),
       "2:15 /filesystem/readOnlyPaths: unknown field \"readOnlyPaths\"; did you mean \"readonlyPaths\"? | known here: "
       "readonlyPaths, readwritePaths, deniedPaths"},
      {With("\"filesystem\":{\"deniedPaths\":[\"/a\",\"b\"]}"),
       "2:35 /filesystem/deniedPaths/1: the path \"b\" is not absolute | write it from / on"},
  });
}

TEST_CASE("containment and the sections of backends") {
  const std::string use_process = " | use \"process\", which is also the default";
  const std::string remove = " | remove the section, also when it is empty, or set \"containment\": ";
  const std::string lxc = "\"lxc\":{\"distribution\":\"alpine\",\"release\":\"3.23\"}";
  CheckReads({
      {With("\"containment\":\"process\""), "ok"},
      {With("\"containment\":\"bubblewrap\""), "ok"},
      {With("\"containment\":\"lxc\"," + lxc), "ok"},
      {With("\"containment\":\"lxc\""),
       "1:1 /lxc: required field \"lxc\" is missing | containment \"lxc\" needs lxc.distribution and lxc.release"},
      {With("\"containment\":\"lxc\",\"lxc\":{\"distribution\":\"a\"}"),
       "2:27 /lxc/release: required field \"release\" is missing"},
      {With(lxc), "2:1 /lxc: the section \"lxc\" does not belong to containment \"process\"" + remove + "\"lxc\""},
      {With("\"wslc\":{}"),
       "2:1 /wslc: the section \"wslc\" does not belong to containment \"process\"" + remove + "\"wslc\""},
      {With("\"seatbelt\":{},\"containment\":\"bubblewrap\""),
       "2:1 /seatbelt: the section \"seatbelt\" does not belong to containment \"bubblewrap\"" + remove +
           "\"seatbelt\""},
      {With("\"processContainer\":[]"), "2:20 /processContainer: expected an object, found an array" + kNotObject},
      {With("\"processContainer\":{\"capabilities\":[]},\"containment\":\"processcontainer\""),
       "2:54 /containment: UNSUPPORTED the containment \"processcontainer\" is not available on Linux" + use_process},
      {With("\"containment\":\"processcontainer\""),
       "2:15 /containment: UNSUPPORTED the containment \"processcontainer\" is not available on Linux" + use_process},
      {With("\"containment\":\"seatbelt\""),
       "2:15 /containment: UNSUPPORTED the containment \"seatbelt\" is not available on Linux" + use_process},
      {With("\"containment\":\"wslc\",\"wslc\":{\"image\":\"x\"}"), "ok"},
      {With("\"containment\":\"mxc\""), "ok"},
      {With("\"containment\":\"isolation_session\""),
       "2:15 /containment: UNSUPPORTED the containment \"isolation_session\" is not available on Linux" + use_process},
      {With("\"containment\":\"Process\""),
       "2:15 /containment: expected one of \"process\", \"processcontainer\", \"lxc\", \"bubblewrap\", \"seatbelt\", "
       "\"isolation_session\", \"wslc\", \"vm\", \"microvm\", \"windows_sandbox\", \"mxc\", \"hyperlight\", found the "
       "string \"Process\" | did you mean \"process\"?"},
  });
}

TEST_CASE("A command from elsewhere makes process, or only its commandLine, optional") {
  CHECK(ReadOutcome("{\"version\":\"1.0.0\"}", true) == "ok");
  CHECK(ReadOutcome("{\"version\":\"1.0.0\",\"process\":{\"cwd\":\"/\"}}", true) == "ok");
  CHECK(ReadOutcome("{\"version\":\"1.0.0\",\"process\":{\"commandLine\":\"\"}}", true) ==
        "1:45 /process/commandLine: expected a string that is not empty, found the string \"\"");
}

TEST_CASE("The model holds what the document says, and where") {
  auto policy = ReadPolicy(R"({
  "version": "1.0.0", "containerId": "c",
  "process": {"commandLine": "a b", "cwd": "/w", "env": ["A=1"], "inheritDefaultEnv": true, "timeout": 7},
  "filesystem": {"readonlyPaths": ["/r"], "readwritePaths": ["/w", "/x"], "deniedPaths": ["/w/d"]},
  "lifecycle": {"destroyOnExit": false, "preservePolicy": true},
  "fallback": {"allowDaclMutation": false}, "telemetry": {"enabled": true}
})",
                           {.source = "p.json"});
  REQUIRE_MESSAGE(policy.ok(), policy.error().Describe());
  CHECK(policy->version == "1.0.0");
  CHECK(policy->source == "p.json");
  CHECK(policy->container_id == "c");
  CHECK(policy->process->command_line == "a b");
  CHECK(policy->process->cwd == "/w");
  CHECK(policy->process->env == std::vector<std::string>{"A=1"});
  CHECK(policy->process->inherit_default_env);
  CHECK(policy->process->timeout_ms == 7);
  CHECK(policy->filesystem.readonly_paths == std::vector<std::string>{"/r"});
  CHECK(policy->filesystem.readwrite_paths == std::vector<std::string>{"/w", "/x"});
  CHECK(policy->filesystem.denied_paths == std::vector<std::string>{"/w/d"});
  CHECK_FALSE(policy->lifecycle.destroy_on_exit);
  CHECK(policy->lifecycle.preserve_policy);
  CHECK_FALSE(policy->allow_dacl_mutation);
  CHECK(policy->telemetry);
  CHECK_FALSE(policy->x_linux.has_value());
  const Position& place = policy->positions.at("/filesystem/readwritePaths/1");
  CHECK(place.source == "p.json");
  CHECK(place.line == 4);
  CHECK(place.column == 68);
  CHECK(policy->positions.size() == 25);
}

TEST_CASE("An empty cwd is none") {
  auto policy = ReadPolicy(R"({"version":"1.0.0","process":{"commandLine":"x","cwd":""}})", {.source = "p"});
  REQUIRE(policy.ok());
  CHECK_FALSE(policy->process->cwd.has_value());
}

}  // namespace
}  // namespace mxc::policy
