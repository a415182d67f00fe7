#include "linux_runtime/compat/request_spec.h"

#include <doctest/doctest.h>

#include <string>

namespace mxc::compat {
namespace {

std::string Converted(const std::string& text) {
  const Result<FromSpec> from = ReadRequestSpec({"request", text});
  if (!from.ok()) return from.error().Describe();
  return from->config.text + (from->experimental ? " experimental" : "");
}

TEST_CASE("Every field has its place in a configuration") {
  CHECK(Converted(R"({"policy":{"version":"0.9.0-alpha"},"command":"ls","containment":{"type":"process"},
      "inheritDefaultEnv":false,"experimental":false})") ==
        R"({"version":"0.9.0-alpha","containment":"process","process":{"commandLine":"ls"}})");
  CHECK(Converted(R"({"policy":{"version":"0.9.0-alpha","timeoutMs":5,"telemetry":{"enabled":false},
      "filesystem":{"readonlyPaths":["/a"],"clearPolicyOnExit":true},
      "network":{"egress":{"default":"allow"},"runtimeConfig":{"networkProxy":"p"}},
      "ui":{"allowWindows":true,"clipboard":"read"}},
      "command":"ls","containment":{"type":"lxc","distribution":"d","release":"r"},"containerName":"c",
      "workingDirectory":"/w","environment":{"A":"1=2","B":""},"inheritDefaultEnv":true,"experimental":true})") ==
        R"({"version":"0.9.0-alpha","containerId":"c","containment":"lxc","lxc":{"distribution":"d","release":"r"},)"
        R"("telemetry":{"enabled":false},"lifecycle":{"preservePolicy":false},"filesystem":{"readonlyPaths":["/a"]},)"
        R"("runtimeConfig":{"networkProxy":"p"},"network":{"egress":{"default":"allow"}},)"
        R"("ui":{"disable":false,"clipboard":"read","injection":false},)"
        R"("process":{"commandLine":"ls","cwd":"/w","env":["A=1=2","B="],"inheritDefaultEnv":true,"timeout":5}})"
        " experimental");
}

TEST_CASE("Outbound access of old policies") {
  const auto network = [](const std::string& members) {
    return Converted(R"({"policy":{"version":"0.8.0-alpha","network":{)" + members + R"(}},"command":"a"})");
  };
  const std::string head = R"({"version":"0.8.0-alpha","network":)", tail = R"(,"process":{"commandLine":"a"}})";
  CHECK(network(R"("allowOutbound":true)") == head + R"({"defaultPolicy":"allow"})" + tail);
  CHECK(network(R"("allowOutbound":false)") == head + R"({"defaultPolicy":"block"})" + tail);
  CHECK(network(R"("allowOutbound":true,"allowedHosts":["1.2.3.4"])") ==
        head + R"({"allowedHosts":["1.2.3.4"],"defaultPolicy":"block"})" + tail);
}

TEST_CASE("What is wrong is named by its place in the request") {
  CHECK(Converted("[]") == "request: expected an object");
  CHECK(Converted("{").find("request:1:") == 0);
  CHECK(Converted(R"({"a":1,"a":2})").find("twice") != std::string::npos);
  CHECK(Converted(R"({"command":"a"})") == "request: /policy: expected an object");
  CHECK(Converted(R"({"policy":{},"command":"a","nonsense":1})") == "request: /nonsense: unknown field \"nonsense\"");
  CHECK(Converted(R"({"policy":{"x":1}})") == "request: /policy/x: unknown field \"x\"");
  CHECK(Converted(R"({"policy":{"ui":{"x":1}}})") == "request: /policy/ui/x: unknown field \"x\"");
  CHECK(Converted(R"({"policy":{"ui":{"allowWindows":1}}})") ==
        "request: /policy/ui/allowWindows: expected true or false");
  CHECK(Converted(R"({"policy":{},"environment":{"A":1}})") == "request: /environment/A: expected a string");
  CHECK(Converted(R"({"policy":{},"containment":{"type":"x"}})") == "request: /containment/type: unknown containment");
  CHECK(Converted(R"({"policy":{},"containment":"process"})") == "request: /containment: expected an object");
}

}  // namespace
}  // namespace mxc::compat
