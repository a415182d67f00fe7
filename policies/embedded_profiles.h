// The profiles and parts of this folder, compiled into the program.
#pragma once

#include "shared/policy/profile.h"

namespace mxc::policy {

// A new set each time; takes a few microseconds, since paths are constants. Profiles of /etc/mxc/profiles.d are added
// to it by ProfileSet::Add.
ProfileSet EmbeddedProfiles();

}  // namespace mxc::policy
