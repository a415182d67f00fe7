#include "linux_runtime/cgroup/stats.h"
#include "nlohmann/json.hpp"

namespace mxc::cgroup {
namespace {

using Json = nlohmann::ordered_json;

// Leaves out what is 0 or empty, as runc's `omitempty` does.
template <class T>
void Put(Json& json, const char* key, const T& value) {
  if (value != T{}) json[key] = value;
}

Json Of(const MemoryCount& count) {
  Json json{{"limit", count.limit}};
  Put(json, "usage", count.usage);
  Put(json, "max", count.max);
  json["failcnt"] = count.failcnt;
  return json;
}

Json Of(const HugepageCount& count) {
  Json json = Json::object();
  Put(json, "usage", count.usage);
  Put(json, "max", count.max);
  json["failcnt"] = count.failcnt;
  return json;
}

void Put(Json& json, const char* key, const std::vector<BlockCount>& counts) {
  for (const BlockCount& count : counts) {
    Json entry = Json::object();
    Put(entry, "major", count.major);
    Put(entry, "minor", count.minor);
    Put(entry, "op", count.op);
    Put(entry, "value", count.value);
    json[key].push_back(std::move(entry));
  }
}

Json Cpu(const Stats& stats) {
  Json usage = Json::object();
  Put(usage, "total", stats.cpu_total);
  Put(usage, "percpu", stats.cpu_each);
  Put(usage, "percpu_kernel", stats.cpu_each_kernel);
  Put(usage, "percpu_user", stats.cpu_each_user);
  usage["kernel"] = stats.cpu_kernel;
  usage["user"] = stats.cpu_user;
  Json throttling = Json::object();
  Put(throttling, "periods", stats.periods);
  Put(throttling, "throttledPeriods", stats.throttled_periods);
  Put(throttling, "throttledTime", stats.throttled_ns);
  return {{"usage", std::move(usage)}, {"throttling", std::move(throttling)}};
}

Json Cpuset(const Stats& stats) {
  Json json = Json::object();
  Put(json, "cpus", stats.cpus);
  json["cpu_exclusive"] = stats.cpu_exclusive;
  Put(json, "mems", stats.mems);
  json["mem_hardwall"] = stats.mem_hardwall;
  json["mem_exclusive"] = stats.mem_exclusive;
  json["memory_migrate"] = stats.memory_migrate;
  json["memory_spread_page"] = stats.memory_spread_page;
  json["memory_spread_slab"] = stats.memory_spread_slab;
  json["memory_pressure"] = stats.memory_pressure;
  json["sched_load_balance"] = stats.sched_load_balance;
  json["sched_relax_domain_level"] = stats.sched_relax_domain_level;
  return json;
}

Json Memory(const Stats& stats) {
  Json json = Json::object();
  Put(json, "cache", stats.memory_cache);
  json["usage"] = Of(stats.memory);
  json["swap"] = Of(stats.swap);
  json["kernel"] = Of(stats.kernel);
  json["kernelTCP"] = Of(stats.kernel_tcp);
  Put(json, "raw", stats.memory_raw);
  return json;
}

Json Blkio(const Stats& stats) {
  Json json = Json::object();
  Put(json, "ioServiceBytesRecursive", stats.io_service_bytes);
  Put(json, "ioServicedRecursive", stats.io_serviced);
  Put(json, "ioQueueRecursive", stats.io_queued);
  Put(json, "ioServiceTimeRecursive", stats.io_service_time);
  Put(json, "ioWaitTimeRecursive", stats.io_wait_time);
  Put(json, "ioMergedRecursive", stats.io_merged);
  Put(json, "ioTimeRecursive", stats.io_time);
  Put(json, "sectorsRecursive", stats.sectors);
  return json;
}

Json Rdma(const std::vector<RdmaCount>& counts) {
  Json list = Json::array();
  for (const RdmaCount& count : counts) {
    list.push_back({{"device", count.device}, {"hca_handles", count.hca_handles}, {"hca_objects", count.hca_objects}});
  }
  return list;
}

}  // namespace

std::string WriteStats(const Stats& stats, const std::string& network_interfaces) {
  Json pids = Json::object();
  Put(pids, "current", stats.pids);
  Put(pids, "limit", stats.pids_limit);
  Json hugetlb = Json::object();
  for (const auto& [size, count] : stats.hugepages) hugetlb[size] = Of(count);
  Json json{{"cpu", Cpu(stats)},          {"cpuset", Cpuset(stats)}, {"memory", Memory(stats)},
            {"pids", std::move(pids)},    {"blkio", Blkio(stats)},   {"hugetlb", std::move(hugetlb)},
            {"intel_rdt", Json::object()}};
  if (!stats.rdma_current.empty() || !stats.rdma_limit.empty()) {
    json["rdma"] = {{"current", Rdma(stats.rdma_current)}, {"limit", Rdma(stats.rdma_limit)}};
  }
  Json interfaces = network_interfaces.empty() ? Json() : Json::parse(network_interfaces, nullptr, false);
  json["network_interfaces"] = interfaces.is_array() ? std::move(interfaces) : Json();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mxc::cgroup
