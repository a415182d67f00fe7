#include "linux_runtime/cgroup/stats.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/stats_text.h"
#include "linux_runtime/cgroup/test_tree.h"
#include "nlohmann/json.hpp"

using namespace mxc;
using namespace mxc::cgroup;

namespace {

using Map = std::map<std::string, uint64_t>;
using Numbers = std::vector<uint64_t>;

}  // namespace

TEST_CASE("texts that count are read; what is no such line is skipped") {
  CHECK(ParseFlat("cache 5\nrss 18446744073709551615\n\nodd\nx y\n  big 18446744073709551616\n") ==
        Map{{"cache", 5}, {"rss", UINT64_MAX}});
  CHECK(ParseNumbers("1 2  3\n") == Numbers{1, 2, 3});
  CHECK(ParseNumbers("x -1 4\n") == Numbers{4});
  CHECK(ParseRanges("0-2,7\n") == std::vector<uint16_t>{0, 1, 2, 7});
  CHECK(ParseRanges("").empty());
  CHECK(ParseRanges("5-3,x,1-,-2,70000,65535").size() == 1);
  CHECK(ParseRanges("0-65535,0-65535").size() == 65536);

  auto blkio = ParseBlkio("8:0 Read 4096\n8:0 Total 4096\n253:1 12\nTotal 4096\n:\n8: Read 1\nx:y Read 1\n");
  CHECK(blkio == std::vector<BlockCount>{{8, 0, "Read", 4096}, {8, 0, "Total", 4096}, {253, 1, "", 12}});

  Stats stats;
  ParseIoStat(
      "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16 \nbad rbytes=1\n8:1 rbytes=x =3 other=1 rios=\n",
      stats);
  CHECK(stats.io_service_bytes == std::vector<BlockCount>{{8, 0, "Read", 1}, {8, 0, "Write", 2}, {8, 0, "Discard", 5}});
  CHECK(stats.io_serviced == std::vector<BlockCount>{{8, 0, "Read", 3}, {8, 0, "Write", 4}, {8, 0, "Discard", 6}});

  ParseUsageAll("cpu user system\n0 10 20\n1 30 40\nx 1 2\n2 1\n", stats);
  CHECK(stats.cpu_each_user == Numbers{10, 30});
  CHECK(stats.cpu_each_kernel == Numbers{20, 40});

  CHECK(ParseRdma("mlx5_0 hca_handle=2 hca_object=max\nx\ny hca_handle= =\n\n") ==
        std::vector<RdmaCount>{{"mlx5_0", 2, UINT32_MAX}, {"x", 0, 0}, {"y", 0, 0}});
}

TEST_CASE("v1: each file of each hierarchy in its place") {
  Tree tree;
  tree.Put("cpu/c/cpu.stat", "nr_periods 9\nnr_throttled 2\nthrottled_time 700\n");
  tree.Put("cpuacct/c/cpuacct.usage", "5000\n");
  tree.Put("cpuacct/c/cpuacct.usage_percpu", "2000 3000 \n");
  tree.Put("cpuacct/c/cpuacct.stat", "user 3\nsystem 4\n");
  tree.Put("memory/c/memory.stat", "cache 77\nrss 1\n");
  tree.Put("memory/c/memory.usage_in_bytes", "100\n");
  tree.Put("memory/c/memory.max_usage_in_bytes", "200\n");
  tree.Put("memory/c/memory.failcnt", "3\n");
  tree.Put("memory/c/memory.limit_in_bytes", "400\n");
  tree.Put("pids/c/pids.current", "2\n");
  tree.Put("pids/c/pids.max", "max\n");
  tree.Put("blkio/c/blkio.throttle.io_service_bytes_recursive", "8:0 Read 5\n8:0 Total 5\nTotal 5\n");
  auto group =
      Group::Open({"cpu=" + tree.Path("cpu/c"), "cpuacct=" + tree.Path("cpuacct/c"), "memory=" + tree.Path("memory/c"),
                   "pids=" + tree.Path("pids/c"), "blkio=" + tree.Path("blkio/c")});
  REQUIRE(group.ok());
  Stats stats = ReadStats(*group);
  CHECK(stats.periods == 9);
  CHECK(stats.throttled_periods == 2);
  CHECK(stats.throttled_ns == 700);
  CHECK(stats.cpu_total == 5000);
  CHECK(stats.cpu_each == Numbers{2000, 3000});
  CHECK(stats.cpu_user == 30'000'000);  // USER_HZ is 100
  CHECK(stats.cpu_kernel == 40'000'000);
  CHECK(stats.memory == MemoryCount{100, 200, 3, 400});
  CHECK(stats.memory_cache == 77);
  CHECK(stats.pids == 2);
  CHECK(stats.pids_limit == 0);
  CHECK(stats.io_service_bytes.size() == 2);
}

TEST_CASE("v2: memory and swap together, as v1 counts them") {
  Tree tree;
  tree.Put("c/cpu.stat", "usage_usec 9\nuser_usec 4\nsystem_usec 5\nnr_periods 1\nnr_throttled 2\nthrottled_usec 3\n");
  tree.Put("c/memory.stat", "file 11\nanon 5\n");
  tree.Put("c/memory.current", "100\n");
  tree.Put("c/memory.peak", "200\n");
  tree.Put("c/memory.max", "400\n");
  tree.Put("c/memory.swap.current", "30\n");
  tree.Put("c/memory.swap.max", "50\n");
  tree.Put("c/memory.events", "low 0\nmax 6\n");
  tree.Put("c/pids.current", "2\n");
  tree.Put("c/pids.max", "7\n");
  auto group = Group::Open({"unified,memory,pids,cpu=" + tree.Path("c")});
  REQUIRE(group.ok());
  Stats stats = ReadStats(*group);
  CHECK(stats.cpu_total == 9000);
  CHECK(stats.throttled_ns == 3000);
  CHECK(stats.memory == MemoryCount{100, 200, 6, 400});
  CHECK(stats.swap == MemoryCount{130, 0, 0, 450});
  CHECK(stats.memory_cache == 11);
  CHECK(stats.pids_limit == 7);
  tree.Put("c/memory.swap.max", "max\n");
  CHECK(ReadStats(*group).swap.limit == UINT64_MAX);
}

TEST_CASE("the JSON has runc's names, with what is 0 left out where runc leaves it out") {
  Stats stats;
  auto empty = nlohmann::json::parse(WriteStats(stats));
  CHECK(empty["cpu"]["usage"] == nlohmann::json{{"kernel", 0}, {"user", 0}});
  CHECK(empty["cpu"]["throttling"].empty());
  CHECK(empty["memory"]["usage"] == nlohmann::json{{"limit", 0}, {"failcnt", 0}});
  CHECK_FALSE(empty["memory"].contains("raw"));
  CHECK(empty["pids"].empty());
  CHECK(empty["blkio"].empty());
  CHECK(empty["network_interfaces"].is_null());
  CHECK_FALSE(empty.contains("rdma"));

  stats.cpu_total = 10;
  stats.cpu_each = {4, 6};
  stats.memory = {1, 2, 3, UINT64_MAX};
  stats.memory_raw = {{"cache", 5}};
  stats.pids = 3;
  stats.io_serviced = {{8, 0, "Read", 9}};
  stats.hugepages = {{"2MB", {4096, 8192, 1}}};
  stats.rdma_current = {{"mlx5_0", 1, 2}};
  auto full = nlohmann::json::parse(WriteStats(stats, R"([{"Name":"eth0"}])"));
  CHECK(full["cpu"]["usage"]["total"] == 10);
  CHECK(full["cpu"]["usage"]["percpu"] == nlohmann::json{4, 6});
  CHECK(full["memory"]["usage"] == nlohmann::json{{"limit", UINT64_MAX}, {"usage", 1}, {"max", 2}, {"failcnt", 3}});
  CHECK(full["memory"]["raw"]["cache"] == 5);
  CHECK(full["pids"]["current"] == 3);
  CHECK(full["blkio"]["ioServicedRecursive"][0] == nlohmann::json{{"major", 8}, {"op", "Read"}, {"value", 9}});
  CHECK(full["hugetlb"]["2MB"]["max"] == 8192);
  CHECK(full["rdma"]["current"][0]["hca_objects"] == 2);
  CHECK(full["network_interfaces"][0]["Name"] == "eth0");
  CHECK(nlohmann::json::parse(WriteStats(stats, "not json"))["network_interfaces"].is_null());
}
