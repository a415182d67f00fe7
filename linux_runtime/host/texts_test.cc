#include "linux_runtime/host/texts.h"

#include <doctest/doctest.h>

using namespace mxc::host;

TEST_CASE("kernel versions") {
  using Version = std::pair<uint32_t, uint32_t>;
  CHECK(KernelVersion("6.6.87.2-microsoft-standard-WSL2") == Version(6, 6));
  CHECK(KernelVersion("6.18-rc1") == Version(6, 18));
  CHECK(KernelVersion("10.0") == Version(10, 0));
  for (const char* bad : {"", "6", "6.", "x.1", "6.x", ".6"}) CHECK_FALSE(KernelVersion(bad));
}

TEST_CASE("Microsoft's kernels, and WSL 1, which only looks like one") {
  CHECK(IsMicrosoftKernel("5.15.167.4-microsoft-standard-WSL2"));
  CHECK(IsMicrosoftKernel("4.4.0-19041-Microsoft"));
  CHECK(IsMicrosoftKernel("6.6.0-WSL2-custom"));
  CHECK_FALSE(IsMicrosoftKernel("6.12.95+deb12-amd64"));
  CHECK(IsWsl1Kernel("4.4.0-19041-Microsoft"));
  CHECK_FALSE(IsWsl1Kernel("5.15.167.4-microsoft-standard-WSL2"));
}

TEST_CASE("accounts by id: the first complete line counts, others are passed over") {
  const char* passwd =
      "root:x:0:0:root:/root:/bin/sh\n"
      "# a remark\n"
      "broken:x:1000\n"
      ":x:1000:1000::/nobody:\n"
      "ann:x:1000:1001:Ann,,,:/home/ann:/bin/bash\n"
      "twin:x:1000:1000::/home/twin:/bin/sh\n"
      "last:x:7:7::/home/last";
  auto ann = FindAccount(passwd, 1000);
  REQUIRE(ann);
  CHECK(ann->name == "ann");
  CHECK(ann->home == "/home/ann");
  CHECK(ann->gid == 1001);
  CHECK(FindAccount(passwd, 7)->home == "/home/last");
  CHECK_FALSE(FindAccount(passwd, 5));
  CHECK_FALSE(FindAccount("", 0));
  CHECK(FindGroup("a:x:1:\ndocker:x:999:ann,bob\n", 999) == "docker");
  CHECK(FindGroup("a:x:1:\n", 2).empty());
}

TEST_CASE("subordinate ids by name and by number") {
  const char* text = "ann:100000:65536\nbob:165536:65536\n1000:300000:10\nann:x:5\nann:1:0\n";
  using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;
  CHECK(FindSubids(text, "ann", 1000) == Ranges{{100000, 65536}, {300000, 10}});
  CHECK(FindSubids(text, "bob", 1001) == Ranges{{165536, 65536}});
  CHECK(FindSubids(text, "", 5).empty());
}

TEST_CASE("groups that give the host away are known") {
  for (const char* name : {"docker", "disk", "kvm", "sudo", "lxd", "shadow"}) CHECK_FALSE(DangerOfGroup(name).empty());
  for (const char* name : {"", "users", "ann", "dockerx"}) CHECK(DangerOfGroup(name).empty());
}

TEST_CASE("name servers of resolv.conf") {
  CHECK(Nameservers("# x\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 # y\nnameservers 1.2.3.4\nnameserver\n"
                    "search x\n nameserver 9.9.9.9\nnameserver 192.0.2.2\nnameserver 192.0.2.3") ==
        std::vector<std::string>{"192.0.2.1", "2001:db8::1", "192.0.2.2"});
  CHECK(Nameservers("").empty());
}
