// mxc.exe doctor: what stands between this Windows and a sandbox in one of its distributions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/client/findings.h"
#include "shared/client/options.h"
#include "shared/translate/host_facts.h"
#include "shared/wire/opening.h"
#include "windows_host/distributions.h"
#include "windows_host/host_sockets.h"
#include "windows_host/managed_policy.h"

namespace mxc::windows {

// What the relay and mxcd in the distribution say.
struct Inside {
  wire::Greeting greeting;
  std::string mxcd;  // "mxcd 0.1.0"
  translate::HostFacts facts;
};

struct Seen {
  std::optional<std::string> wsl;  // path of wsl.exe
  std::string wsl_version;         // of that file; "": unknown
  Result<std::optional<std::vector<Distribution>>> distributions = std::optional<std::vector<Distribution>>();
  std::string wanted;                         // --distribution
  std::map<std::string, std::string> config;  // .wslconfig: "wsl2.networkingmode" → value
  std::map<std::string, uint32_t> wsl_policies;
  Result<ManagedPolicy> managed = ManagedPolicy();
  bool elevated = false;
  bool hvsocket = false;  // this Windows makes sockets of that kind
  Result<Inside> inside = Error(Code::kNotFound, "not asked");
};

// Lines of a .wslconfig: sections and names in lower case, joined by a dot. Comments (#) and what is no setting are left out.
std::map<std::string, std::string> ReadWslConfig(std::string_view text);

// The judgement alone.
client::Report Judge(const Seen& seen);

// Of this machine; starts the distribution.
Seen LookAround(const client::Options& options, HostSockets& sockets, bool elevated);

}  // namespace mxc::windows
