// The rootless engine's link: pasta(1) of passt, which carries what a sandbox sends over a tap device inside through sockets of the
// caller's outside. Rules of the sandbox decide what gets that far (sandbox_rules.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "linux_runtime/network/netlink.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::network {

// What an ordinary user lacks for it, in a few words: the program, or a /dev/net/tun that he may open. "": nothing.
std::string MissingForPasta();

class PastaLink {
 public:
  // Starts pasta for the namespaces of process `pid`, in which no program runs yet, and waits until its routes are there. A host
  // without a way out gets no link, and `no_way_out` is set. v6: the rules allow some address of IPv6. group_files: of the sandbox's control group, as
  // GatewayPlan's. Errors: kUnsupported
  // naming what is missing, or what pasta said.
  static Result<std::unique_ptr<PastaLink>> Start(int pid, const NetworkNamespace& there, bool v6,
                                                  const std::vector<int>& group_files);
  PastaLink(const PastaLink&) = delete;
  PastaLink& operator=(const PastaLink&) = delete;
  // Ends it. It also ends when this process does.
  ~PastaLink();

  bool no_way_out() const { return keeper_ < 0; }
  // It ended by itself, or somebody ended it: the sandbox has no link any more.
  bool ended() const;

 private:
  PastaLink() = default;
  pid_t keeper_ = -1;  // its parent, which ends it when the lifeline is cut
  sys::UniqueFd
      lifeline_;         // pasta itself can't be tied to us: entering the sandbox's namespaces clears PR_SET_PDEATHSIG
  sys::UniqueFd pasta_;  // its pidfd, for when the keeper was killed
};

}  // namespace mxc::network
