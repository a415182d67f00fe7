#include "linux_runtime/sandbox/intel_rdt.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace mxc::sandbox {
namespace {

// Plain files in the shape of a resctrl mount; the kernel's own would appear in new groups by themselves.
class Resctrl {
 public:
  Resctrl() {
    char name[] = "/tmp/mxc-resctrl-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  ~Resctrl() { std::filesystem::remove_all(root_); }
  Resctrl(const Resctrl&) = delete;
  Resctrl& operator=(const Resctrl&) = delete;

  const std::string& root() const { return root_; }
  void MakeGroup(const std::string& name, const std::string& schemata) const {
    std::filesystem::create_directories(root_ + "/" + name + "/mon_groups");
    std::ofstream(root_ + "/" + name + "/schemata") << schemata;
    std::ofstream(root_ + "/" + name + "/tasks");
  }
  std::string Read(const std::string& file) const {
    std::ifstream in(root_ + "/" + file);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

 private:
  std::string root_;
};

TEST_CASE("without resctrl the field is refused") {
  auto plan = PlanIntelRdt({}, "box", std::nullopt);
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.error().code() == Code::kUnsupported);
  CHECK(plan.error().message().find("/linux/intelRdt") == 0);
}

TEST_CASE("schemata: memBwSchema has the say over MB lines of l3CacheSchema, schemata comes last") {
  oci::IntelRdt wanted;
  wanted.l3_cache_schema = "L3:0=7f0\nMB:0=50";
  CHECK(PlanIntelRdt(wanted, "box", "/r")->schemata == "L3:0=7f0\nMB:0=50\n");
  wanted.mem_bw_schema = "MB:0=20";
  wanted.schemata = {"L2:0=f"};
  CHECK(PlanIntelRdt(wanted, "box", "/r")->schemata == "L3:0=7f0\nMB:0=20\nL2:0=f\n");
  wanted.mem_bw_schema = "L3:0=1";
  CHECK_FALSE(PlanIntelRdt(wanted, "box", "/r").ok());
}

TEST_CASE("the group is closID's, else the container's own, which alone is ours to remove") {
  oci::IntelRdt wanted;
  CHECK(PlanIntelRdt(wanted, "box", "/r")->group == "box");
  CHECK_FALSE(PlanIntelRdt(wanted, "box", "/r")->shared);
  CHECK_FALSE(PlanIntelRdt(wanted, "", "/r").ok());
  wanted.clos_id = "gold";
  auto plan = PlanIntelRdt(wanted, "box", "/r");
  CHECK(plan->group == "gold");
  CHECK(plan->shared);
  CHECK(plan->must_exist);
  CHECK(plan->monitor.empty());
  wanted.enable_cmt = true;
  CHECK(PlanIntelRdt(wanted, "box", "/r")->monitor == "box");
  wanted.clos_id = "../gold";
  CHECK_FALSE(PlanIntelRdt(wanted, "box", "/r").ok());
}

TEST_CASE("a process joins a group that is there") {
  Resctrl resctrl;
  resctrl.MakeGroup("gold", "L3:0=0007f0;1=00001f\nMB:0= 20;1= 70\n");
  oci::IntelRdt wanted;
  wanted.clos_id = "gold";
  auto plan = PlanIntelRdt(wanted, "box", resctrl.root());
  REQUIRE(JoinIntelRdt(*plan, 4242).ok());
  CHECK(resctrl.Read("gold/tasks") == "4242");

  wanted.schemata = {"L3:0=7f0", "MB:1=70"};
  plan = PlanIntelRdt(wanted, "box", resctrl.root());
  CHECK(JoinIntelRdt(*plan, 4242).ok());
  wanted.schemata = {"L3:0=7f0;1=f"};
  plan = PlanIntelRdt(wanted, "box", resctrl.root());
  auto joined = JoinIntelRdt(*plan, 4242);
  REQUIRE_FALSE(joined.ok());
  CHECK(joined.error().message().find("L3:1") != std::string::npos);
  CHECK(resctrl.Read("gold/schemata").starts_with("L3:0=0007f0"));
}

TEST_CASE("a closID without a schema has to be there; with one it is made") {
  Resctrl resctrl;
  oci::IntelRdt wanted;
  wanted.clos_id = "silver";
  auto joined = JoinIntelRdt(*PlanIntelRdt(wanted, "box", resctrl.root()), 1);
  REQUIRE_FALSE(joined.ok());
  CHECK(joined.error().code() == Code::kNotFound);
  CHECK_FALSE(std::filesystem::exists(resctrl.root() + "/silver"));
  wanted.schemata = {"L3:0=1"};
  (void)JoinIntelRdt(*PlanIntelRdt(wanted, "box", resctrl.root()), 1);
  CHECK(std::filesystem::exists(resctrl.root() + "/silver"));
}

TEST_CASE("removing leaves a shared group and takes the container's own") {
  Resctrl resctrl;
  std::filesystem::create_directories(resctrl.root() + "/gold/mon_groups/box");
  std::filesystem::create_directories(resctrl.root() + "/box");
  oci::IntelRdt wanted;
  wanted.enable_monitoring = true;
  wanted.clos_id = "gold";
  CHECK(RemoveIntelRdt(*PlanIntelRdt(wanted, "box", resctrl.root())).ok());
  CHECK_FALSE(std::filesystem::exists(resctrl.root() + "/gold/mon_groups/box"));
  CHECK(std::filesystem::exists(resctrl.root() + "/gold"));
  auto own = PlanIntelRdt({}, "box", resctrl.root());
  CHECK(RemoveIntelRdt(*own).ok());
  CHECK_FALSE(std::filesystem::exists(resctrl.root() + "/box"));
  CHECK(RemoveIntelRdt(*own).ok());
}

}  // namespace
}  // namespace mxc::sandbox
