#include "linux_runtime/relay/account.h"

#include <algorithm>
#include <optional>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "shared/base/escape_text.h"

namespace mxc::relay {
namespace {

std::string_view Take(std::string_view& text, char end) {
  const size_t at = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\"");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\"") - first + 1);
}

}  // namespace

Result<Account> FindAccount(const std::string& name, std::string_view passwd, std::string_view group) {
  std::optional<host::Account> found = host::FindAccount(passwd, name);
  if (!found) {
    return Error(Code::kNotFound, "the distribution has no account \"" + EscapeText(name) + "\"")
        .WithHint("name one of /etc/passwd, or none for the default user");
  }
  return Account{*std::move(found), host::GroupsOf(group, name)};
}

std::string DefaultUser(std::string_view wsl_conf, std::string_view passwd) {
  bool user_section = false;
  while (!wsl_conf.empty()) {
    const std::string_view line = Trim(Take(wsl_conf, '\n'));
    if (line.starts_with('[')) {
      user_section = line == "[user]";
    } else if (user_section && line.starts_with("default")) {
      const size_t equals = line.find('=');
      if (equals == std::string_view::npos || Trim(line.substr(7, equals - 7)) != "") continue;
      if (const std::string_view name = Trim(line.substr(equals + 1)); !name.empty()) return std::string(name);
    }
  }
  const std::optional<host::Account> first = host::FindAccount(passwd, 1000);
  return first ? first->name : "root";
}

Result<void> Become(const Account& account) {
  if (int error = sys::SetGroups(account.groups.size(), account.groups.data()); error < 0) {
    return sys::SystemError("take the groups of " + account.name, -error);
  }
  if (int error = sys::SetResGid(account.gid); error < 0) return sys::SystemError("become " + account.name, -error);
  if (int error = sys::SetResUid(account.uid); error < 0) return sys::SystemError("become " + account.name, -error);
  return {};
}

}  // namespace mxc::relay
