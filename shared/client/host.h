// What the commands ask of the machine they run on. Linux and Windows each have one; tests have a made-up one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/caller.h"
#include "shared/translate/host_facts.h"

namespace mxc::client {

using NamedText = std::pair<std::string, std::string>;  // file name, content

class Host {
 public:
  virtual ~Host() = default;
  // "-": standard input. Errors: kNotFound, kSystem; kInvalid above the reader's limit, before all of it is read.
  virtual Result<std::string> ReadFile(const std::string& path) = 0;
  virtual Result<policy::Caller> Caller() = 0;
  virtual Result<translate::HostFacts> Facts() = 0;
  // What Facts() describes, as the start of a sentence.
  virtual std::string FactsName() const { return "This host"; }
  // /etc/mxc/profiles.d and /etc/mxc/policy.d. A file that can't be trusted or read is an error: fail closed.
  virtual Result<std::vector<NamedText>> AddedProfiles() = 0;
  virtual Result<std::vector<NamedText>> Floors() = 0;
};

}  // namespace mxc::client
