// Looks names up outside of the sandbox, as the host would: /etc/hosts, then the name servers of /etc/resolv.conf. The C
// library's own resolver blocks, and in a static program wants modules that aren't there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/network/gateway/address.h"
#include "linux_runtime/network/gateway/poller.h"

namespace mxc::network {

struct ResolverFiles {
  std::vector<Address> servers;
  std::map<std::string, std::vector<Address>> hosts;
};
ResolverFiles ReadResolverFiles(const std::string& resolv_conf = "/etc/resolv.conf",
                                const std::string& hosts = "/etc/hosts");

class Resolver {
 public:
  // Empty: no such name, or nobody answered in time.
  using OnResolved = std::function<void(const std::vector<Address>&)>;

  Resolver(ResolverFiles files, Poller& poller) : files_(std::move(files)), poller_(poller) {}

  // Calls back once, perhaps before it returns.
  void Resolve(const std::string& name, OnResolved on_resolved);
  // A query as it is, and the answer as it comes. Nothing: nobody answered, or it was no query.
  void Forward(std::string_view query, bool stream, std::function<void(std::optional<std::string>)> on_answer);

 private:
  ResolverFiles files_;
  Poller& poller_;
};

}  // namespace mxc::network
