// The parts of Validate that look at /linux and at what depends on it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::oci {

// The field is wrong: `pointer` is its JSON pointer.
Error InvalidField(std::string pointer, std::string message);

bool HasNamespace(const Spec& spec, std::string_view type);

Result<void> ValidateIdMappings(const std::vector<IdMapping>& mappings, const std::string& pointer);
Result<void> ValidateLinux(const Spec& spec);
Result<void> ValidateSeccomp(const LinuxSeccomp& seccomp);
Result<void> ValidateResources(const Resources& resources);

}  // namespace mxc::oci
