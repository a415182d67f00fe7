// Reading the small files of /etc and /proc that describe a host. Text in, values out: a static binary has no getpwuid,
// which loads libraries of the distribution.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mxc::host {

// "6.6.87.2-microsoft-standard-WSL2" → 6, 6.
std::optional<std::pair<uint32_t, uint32_t>> KernelVersion(std::string_view release);

// A release of Microsoft's kernels. WSL 1 is no Linux kernel: it calls itself 4.4.0-…-Microsoft.
bool IsMicrosoftKernel(std::string_view release);
bool IsWsl1Kernel(std::string_view release);

struct Account {
  std::string name, home;
  uint32_t uid = 0, gid = 0;
};
// The line of `uid`, or of a name, in the text of passwd(5).
std::optional<Account> FindAccount(std::string_view passwd, uint32_t uid);
std::optional<Account> FindAccount(std::string_view passwd, std::string_view name);
// The ids of the groups in the text of group(5) whose members `user` is listed among.
std::vector<uint32_t> GroupsOf(std::string_view group, std::string_view user);
// The name of `gid` in the text of group(5); "" when it has none.
std::string FindGroup(std::string_view group, uint32_t gid);

// Ranges of subuid(5) for a user, by name or number: first id and count.
std::vector<std::pair<uint64_t, uint64_t>> FindSubids(std::string_view text, std::string_view user, uint32_t uid);

// Groups whose members are, or can become, root or read everything on the host. What each gives; "" for others.
std::string_view DangerOfGroup(std::string_view name);

// The addresses in nameserver lines of resolv.conf(5), the first three, which is all that resolvers ask.
std::vector<std::string> Nameservers(std::string_view text);

// A whole file up to 1 MiB; nothing when it can't be opened. For files of /proc and /etc.
std::optional<std::string> ReadText(const char* path);
// A file that holds one number; nothing when it's absent or holds something else.
std::optional<int64_t> ReadInteger(const char* path);

}  // namespace mxc::host
