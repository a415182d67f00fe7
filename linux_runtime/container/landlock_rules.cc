#include "linux_runtime/container/landlock_rules.h"

#include <nlohmann/json.hpp>

namespace mxc::container {

using Json = nlohmann::json;

std::string WriteLandlockRules(const sandbox::LandlockPlan& plan) {
  Json rules = Json::array(), ports = Json::array();
  for (const sandbox::LandlockRule& rule : plan.rules) rules.push_back({rule.path, rule.access, rule.optional});
  for (const sandbox::LandlockPort& port : plan.ports) ports.push_back({port.port, port.access});
  const Json whole = {{"abi", plan.abi},           {"files", plan.handled_files},  {"tcp", plan.handled_tcp},
                      {"scopes", plan.scopes},     {"flags", plan.restrict_flags}, {"streams", plan.standard_streams},
                      {"rules", std::move(rules)}, {"ports", std::move(ports)}};
  return whole.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<sandbox::LandlockPlan> ReadLandlockRules(std::string_view text) {
  sandbox::LandlockPlan plan;
  try {
    const Json whole = Json::parse(text);
    plan.abi = whole.at("abi").get<int>();
    plan.handled_files = whole.at("files").get<uint64_t>();
    plan.handled_tcp = whole.at("tcp").get<uint64_t>();
    plan.scopes = whole.at("scopes").get<uint64_t>();
    plan.restrict_flags = whole.at("flags").get<uint32_t>();
    plan.standard_streams = whole.at("streams").get<bool>();
    for (const Json& rule : whole.at("rules")) {
      plan.rules.push_back({rule.at(0).get<std::string>(), rule.at(1).get<uint64_t>(), rule.at(2).get<bool>()});
    }
    for (const Json& port : whole.at("ports")) {
      plan.ports.push_back({port.at(0).get<uint16_t>(), port.at(1).get<uint64_t>()});
    }
  } catch (const Json::exception& error) {
    return Error(Code::kInvalid, std::string("Landlock rules of the container: ") + error.what());
  }
  return plan;
}

}  // namespace mxc::container
