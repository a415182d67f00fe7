// The commands' view of a Windows machine. What a policy means is settled for a Linux host that Windows can't see: its
// facts come from a file (--host-facts, made by `mxc doctor --facts` in the distribution), else from the documented
// generic set.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "shared/client/host.h"

namespace mxc::windows {

class WindowsHost : public client::Host {
 public:
  // floors: of the machine's policy (managed_policy.h).
  explicit WindowsHost(std::vector<client::NamedText> floors = {}) : floors_(std::move(floors)) {}

  // path: UTF-8, as Windows names files.
  Result<std::string> ReadFile(const std::string& path) override;
  // The generic set's: who the user is in the distribution is not known here. The client takes --host-facts' caller
  // instead, where given.
  Result<policy::Caller> Caller() override;
  Result<translate::HostFacts> Facts() override;
  std::string FactsName() const override;
  // Profiles are those that mxc.exe brings. /etc/mxc/profiles.d and /etc/mxc/policy.d lie in the distribution: a spec made here
  // is narrowed by the machine's policy only; where the distribution has a floor, `mxc run --spec` is to refuse it.
  Result<std::vector<client::NamedText>> AddedProfiles() override { return std::vector<client::NamedText>(); }
  Result<std::vector<client::NamedText>> Floors() override { return floors_; }

 private:
  std::vector<client::NamedText> floors_;
};

}  // namespace mxc::windows
