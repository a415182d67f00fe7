// An account of the distribution, from its files: the relay is static and asks no name service.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "linux_runtime/host/texts.h"
#include "shared/base/result.h"

namespace mxc::relay {

struct Account : host::Account {
  std::vector<gid_t> groups;  // supplementary
};

// texts: of passwd(5) and group(5). Error (kNotFound): no such account.
Result<Account> FindAccount(const std::string& name, std::string_view passwd, std::string_view group);

// The name of the user that WSL logs in by default: [user] default of /etc/wsl.conf, else the account of uid 1000, else root.
std::string DefaultUser(std::string_view wsl_conf, std::string_view passwd);

// This process, which is root, becomes that account for good. Errors: kSystem.
Result<void> Become(const Account& account);

}  // namespace mxc::relay
