// The texts of /proc that say where processes are.
#pragma once

#include <string>
#include <string_view>

namespace mxc::cgroup {

// A file of /proc of any length; "" when it can't be read.
std::string ReadProc(const std::string& path);
// From /proc/PID/cgroup: the group in the v2 tree ("0::/a" → "/a"), or in the v1 hierarchy called `list`
// ("name=systemd"). "" when the process is in none or outside our cgroup namespace ("/../x").
std::string OwnPathOnV2(std::string_view cgroup);
std::string OwnPathOnV1(std::string_view cgroup, std::string_view list);
// Whether this process is in a user namespace other than the host's, by the text of /proc/self/uid_map: the host's maps
// all ids to themselves.
bool IsUserNamespace(std::string_view uid_map);

}  // namespace mxc::cgroup
