// One DNS message to the host's name servers, and the answer: one server after the other, over UDP or TCP (RFC 7766).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/network/gateway/address.h"
#include "linux_runtime/network/gateway/poller.h"

namespace mxc::network {

enum class Heard : uint8_t {
  kIgnore,  // forged, or late: the right one may still come
  kNext,    // this server has nothing to say; the next one may
  kTake,
};

struct Exchange {
  std::string message;
  bool stream = false;
  std::function<Heard(std::string_view answer)> hear;
  // Called once, perhaps before Ask returns. Nothing: nobody answered in time.
  std::function<void(std::optional<std::string> answer)> done;
};

// servers outlive the exchange.
void Ask(const std::vector<Address>& servers, Poller& poller, Exchange exchange);

}  // namespace mxc::network
