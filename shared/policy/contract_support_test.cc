#include "shared/policy/contract_support.h"

#include <doctest/doctest.h>

#include <string>

#include "shared/policy/read_case.h"

namespace mxc::policy {
namespace {

TEST_CASE("What is not built yet is refused by name, in its place") {
  const std::string desktop = " | remove it: without it no window, clipboard or input of the desktop is reachable";
  const std::vector<ReadCase> cases = {
      {With("\"network\":{\"egress\":{\"default\":\"deny\",\"allow\":[],\"deny\":[]},\"ingress\":{}}"), "ok"},
      {With("\"ui\":{\"disable\":true,\"clipboard\":\"none\",\"injection\":false}"), "ok"},
      {With("\"lifecycle\":{\"destroyOnExit\":false,\"preservePolicy\":true},\"telemetry\":{\"enabled\":true}"), "ok"},
      {With("\"network\":{\"egress\":{\"default\":\"allow\"}}"), "ok"},
      {With("\"network\":{\"egress\":{\"allow\":[{}]}}"), "ok"},
      {With("\"network\":{\"egress\":{\"deny\":[{}]}}"), "ok"},
      {With("\"network\":{\"ingress\":{\"default\":\"allow\"}}"), "ok"},
      {With("\"network\":{\"ingress\":{\"hostLoopback\":\"allow\"}}"), "ok"},
      {With("\"runtimeConfig\":{\"networkProxy\":\"http://localhost:1\"}"), "ok"},
      {With("\"ui\":{\"disable\":false}"),
       "2:17 /ui/disable: UNSUPPORTED access to the desktop: not built yet" + desktop},
      {With("\"ui\":{\"clipboard\":\"read\"}"),
       "2:19 /ui/clipboard: UNSUPPORTED access to the clipboard: not built yet" + desktop},
      {With("\"ui\":{\"injection\":true}"),
       "2:19 /ui/injection: UNSUPPORTED input into other windows: not built yet" + desktop},
      {With("\"containment\":\"lxc\",\"lxc\":{\"distribution\":\"alpine\",\"release\":\"3.23\"}"), "ok"},
      {With("\"containment\":\"wslc\",\"wslc\":{\"cpuCount\":2,\"memoryMb\":64,\"gpu\":false,\"targetOs\":\"linux\"}"),
       "ok"},
      {With("\"containment\":\"wslc\",\"wslc\":{\"gpu\":true}"),
       "2:36 /wslc/gpu: UNSUPPORTED the GPU: not built yet | remove it, or set it to false"},
      {With("\"containment\":\"wslc\",\"wslc\":{\"image\":\"alpine\"}"),
       "2:38 /wslc/image: UNSUPPORTED an image's root file system: not built yet | remove it: this system's own "
       "programs "
       "are shown read-only; or name a folder in x-linux.rootfs"},
      {With("\"containment\":\"wslc\",\"wslc\":{\"targetOs\":\"windows\"}"),
       "2:41 /wslc/targetOs: UNSUPPORTED another system than Linux: not built yet | remove it, or write \"linux\""},
      {With("\"containment\":\"wslc\",\"wslc\":{\"portMappings\":[{\"windowsPort\":1,\"containerPort\":1}]}"),
       "2:45 /wslc/portMappings: UNSUPPORTED this spelling of shared ports: not built yet | write x-linux.ports, and "
       "network.ingress.hostLoopback \"allow\""},
  };
  for (const ReadCase& one : cases) {
    CAPTURE(one.text);
    const auto policy = ReadPolicy(one.text, {.source = "p"});
    REQUIRE_MESSAGE(policy.ok(), policy.error().Describe());
    const auto built = RefuseUnbuilt(*policy);
    CHECK((built.ok() ? "ok" : Outcome(built.error())) == one.outcome);
  }
}

TEST_CASE("A policy without positions is refused all the same") {
  Policy policy;
  policy.source = "p";
  policy.ui.disable = false;
  const auto built = RefuseUnbuilt(policy);
  REQUIRE_FALSE(built.ok());
  CHECK(built.error().Describe() == "p: /ui/disable: access to the desktop: not built yet");
}

}  // namespace
}  // namespace mxc::policy
