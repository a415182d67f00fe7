// The five roots of state-aware requests.
#include "shared/policy/state_aware.h"

#include <doctest/doctest.h>

#include <string>

#include "shared/policy/read_case.h"

namespace mxc::policy {
namespace {

std::string Root(const std::string& members, const std::string& version = "1.0.0") {
  return "{\"version\":\"" + version + "\"," + members + "}";
}

std::string Read(const std::string& text) {
  const Result<StateAwareRequest> request = ReadStateAware(text, {.source = "p"});
  if (!request.ok()) return Outcome(request.error());
  return std::string(PhaseName(request->phase)) + " " + request->sandbox_id;
}

TEST_CASE("Each phase takes its own fields") {
  CHECK(Read(Root(R"("phase":"start","sandboxId":"wslc:a1","$schema":"s","_comment":null)")) == "start wslc:a1");
  CHECK(Read(Root(R"("phase":"stop","sandboxId":"iso:a:b","telemetry":{"enabled":true})")) == "stop iso:a:b");
  CHECK(Read(Root(R"("phase":"deprovision","sandboxId":"w:1")")) == "deprovision w:1");
  CHECK(Read(Root(R"("phase":"provision","containment":"wslc")")) == "provision ");
  CHECK(Read(Root(R"("phase":"provision","containment":"windows_sandbox")", "1.1.0-alpha")) == "provision ");

  const Result<StateAwareRequest> wslc =
      ReadStateAware(Root(R"("phase":"provision","containment":"wslc","filesystem":{"readonlyPaths":["/a"]},
        "network":{"egress":{"default":"allow"}},"wslc":{"provision":{"image":"i","imageTarPath":"t"}})"),
                     {.source = "p"});
  REQUIRE(wslc.ok());
  CHECK(wslc->policy.filesystem.readonly_paths.size() == 1);
  CHECK(wslc->policy.network.egress == Default::kAllow);
  CHECK(wslc->policy.wslc->image == "i");
  CHECK(wslc->policy.wslc->image_tar_path == "t");

  const Result<StateAwareRequest> exec = ReadStateAware(
      Root(R"("phase":"exec","sandboxId":"wslc:1","process":{"commandLine":"ls","env":["A=1"],"timeout":5},
        "network":{},"runtimeConfig":{"networkProxy":"http://127.0.0.1:80"})"),
      {.source = "p"});
  REQUIRE(exec.ok());
  CHECK(exec->policy.process->command_line == "ls");
  CHECK(exec->policy.process->timeout_ms == 5);
  CHECK(exec->policy.network_proxy == "http://127.0.0.1:80");

  const Result<StateAwareRequest> session = ReadStateAware(
      Root(R"("phase":"provision","containment":"isolation_session","isolationSession":{"provision":{"appId":"a"}},
        "network":{"egress":{"default":"allow"},"ingress":{"default":"allow","hostLoopback":"allow"}})"),
      {.source = "p"});
  REQUIRE(session.ok());
  CHECK(session->app_id == "a");
}

TEST_CASE("What belongs to another phase, or to none, is refused by name") {
  const std::string known = " | known here: $schema, _comment, version, phase, telemetry, ";
  CHECK(Read(Root(R"("phase":"start")")) == "1:1 /sandboxId: required field \"sandboxId\" is missing");
  CHECK(Read(Root(R"("phase":"start","sandboxId":"x:1","process":{"commandLine":"a"})")) ==
        "1:54 /process: unknown field \"process\"" + known + "sandboxId");
  CHECK(Read(Root(R"("phase":"provision","containment":"wslc","sandboxId":"x:1")")) ==
        "1:61 /sandboxId: unknown field \"sandboxId\"" + known + "containment, network, filesystem, wslc");
  CHECK(Read(Root(R"("phase":"exec","sandboxId":"x:1")")) == "1:1 /process: required field \"process\" is missing");
  CHECK(Read(Root(R"("phase":"exec","sandboxId":"x:1","containment":"wslc","process":{"commandLine":"a"})")) ==
        "1:53 /containment: unknown field \"containment\"" + known + "sandboxId, network, process, runtimeConfig");
  CHECK(Read(Root(R"("phase":"provision")")) == "1:1 /containment: required field \"containment\" is missing");
  CHECK(Read(Root(R"("phase":"provision","containment":"bubblewrap")")).find(" /containment: ") != std::string::npos);
  CHECK(Read(Root(R"("phase":"nix")")).find(" /phase: ") != std::string::npos);
  CHECK(Read(Root(R"("phase":null)")).find(" /phase: ") != std::string::npos);
  CHECK(Read(Root(R"("containerId":"a")")).starts_with("1:1 /phase: required field \"phase\" is missing"));
  CHECK(Read(Root(R"("phase":"provision","containment":"isolation_session")")) ==
        "1:1 /network: required field \"network\" is missing");
  CHECK(Read(Root(R"("phase":"provision","containment":"isolation_session","network":{})"))
            .find("an isolation session has the whole network") != std::string::npos);
}

TEST_CASE("Versions") {
  CHECK(Read(Root(R"("phase":"stop","sandboxId":"a:1")", "0.9.0-alpha")) == "stop a:1");
  CHECK(Read(Root(R"("phase":"stop","sandboxId":"a:1")", "0.8.0-alpha")).find("comes with contract 0.9.0-alpha") !=
        std::string::npos);
  CHECK(Read(Root(R"("phase":"provision","containment":"windows_sandbox")")).find("comes with contract 1.1.0-alpha") !=
        std::string::npos);
  const std::string ports =
      R"("phase":"provision","containment":"wslc","wslc":{"provision":{"portMappings":[{"containerPort":1,"windowsPort":2}]}})";
  CHECK(Read(Root(ports)).find("comes with contract 1.1.0-alpha") != std::string::npos);
  CHECK(Read(Root(ports, "1.1.0-alpha")) == "provision ");
}

TEST_CASE("An identifier has a prefix and a token") {
  for (const char* id : {"", "zz", ":", "a:", ":a"}) {
    CAPTURE(id);
    const Result<StateAwareRequest> request =
        ReadStateAware(Root("\"phase\":\"stop\",\"sandboxId\":\"" + std::string(id) + "\""), {.source = "p"});
    REQUIRE(request.ok());
    const Result<void> known = CheckSandboxId(*request);
    REQUIRE(!known.ok());
    CHECK(known.error().position()->pointer == "/sandboxId");
  }
  const Result<StateAwareRequest> request =
      ReadStateAware(Root(R"("phase":"stop","sandboxId":"a:b:c")"), {.source = "p"});
  REQUIRE(request.ok());
  CHECK(CheckSandboxId(*request).ok());
}

TEST_CASE("Whether there is a phase can be asked of any text") {
  CHECK(HasPhase("{\"phase\":1}", {.source = "p"}));
  CHECK_FALSE(HasPhase("{\"version\":\"1.0.0\"}", {.source = "p"}));
  CHECK_FALSE(HasPhase("[\"phase\"]", {.source = "p"}));
  CHECK_FALSE(HasPhase("{\"phase\"", {.source = "p"}));
}

}  // namespace
}  // namespace mxc::policy
