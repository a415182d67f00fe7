// The files of /etc that every sandbox gets made new, instead of the host's.
#pragma once

#include <map>
#include <string>

#include "shared/policy/effective.h"
#include "shared/translate/host_facts.h"
#include "shared/translate/path_layout.h"

namespace mxc::translate {

// passwd and group (root, the caller, nobody), hosts, hostname, resolv.conf, nsswitch.conf: path → content. Files where
// the policy shows the host's own are left out.
void AddGeneratedFiles(const policy::EffectivePolicy& policy, const HostFacts& facts, const PathLayout& layout,
                       std::map<std::string, std::string>& files);

}  // namespace mxc::translate
