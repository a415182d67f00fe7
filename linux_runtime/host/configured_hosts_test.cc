#include "linux_runtime/host/configured_hosts.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace mxc::host {
namespace {

namespace fs = std::filesystem;

struct Tree {
  Tree() {
    char name[] = "/tmp/mxc-hosts-XXXXXX";
    root = ::mkdtemp(name);
  }
  ~Tree() { fs::remove_all(root); }
  void Write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  }
  std::vector<std::string> Hosts(const char* tool) const { return ConfiguredHosts(tool, root + "/home/u", root); }
  std::string root;
};

using Texts = std::vector<std::string>;

TEST_CASE("Nothing configured is nothing") {
  const Tree tree;
  for (const char* tool : {"pip", "npm", "cargo", "apt", "other"}) CHECK(tree.Hosts(tool).empty());
}

TEST_CASE("pip's and uv's indexes, with ports and without credentials") {
  const Tree tree;
  tree.Write(
      "/etc/pip.conf",
      "[global]\nindex-url = https://User:pass@Mirror.corp.example:8443/simple\n# index-url = https://old.example\n"
      "extra-index-url =\n    https://one.example/simple\n    http://two.example\nproxy = https://proxy.example\n");
  tree.Write("/home/u/.config/uv/uv.toml", "[[index]]\nurl = \"https://uv.example/simple\"\n");
  CHECK(tree.Hosts("pip") == Texts{"mirror.corp.example:8443", "one.example", "two.example", "uv.example"});
}

TEST_CASE("npm's registries, and its own where none is configured") {
  const Tree tree;
  tree.Write("/usr/share/nodejs/@npmcli/config/lib/definitions/definitions.js",
             "define('proxy', {\n  default: 'https://wrong.example/'\n})\ndefine('registry', {\n  default: "
             "'https://registry.example/',\n  type: url,\n})\n");
  CHECK(tree.Hosts("npm") == Texts{"registry.example"});
  tree.Write("/home/u/.npmrc",
             "registry=https://npm.corp.example/\n@scope:registry=https://scope.example:444/x\n//npm/:_authToken=s\n");
  CHECK(tree.Hosts("npm") == Texts{"npm.corp.example", "scope.example:444"});
}

TEST_CASE("cargo's index and apt's sources, of both forms") {
  const Tree tree;
  tree.Write("/home/u/.cargo/config.toml",
             "[source.corp]\nregistry = \"sparse+https://crates.corp.example/index/\"\n[http]\nproxy = "
             "\"https://no.example\"\n");
  CHECK(tree.Hosts("cargo") == Texts{"crates.corp.example"});
  tree.Write("/etc/apt/sources.list",
             "deb [arch=amd64] http://apt.example/debian stable main\n#deb http://old.example x y\n");
  tree.Write("/etc/apt/sources.list.d/a.sources",
             "Types: deb\nURIs: https://one.example/debian\n http://two.example/debian\nSuites: stable\nSigned-By: "
             "https://no.example\n");
  tree.Write("/etc/apt/sources.list.d/b.list", "deb http://three.example/ x y\n");
  tree.Write("/etc/apt/sources.list.d/c.save", "deb http://no.example/ x y\n");
  CHECK(tree.Hosts("apt") == Texts{"apt.example", "one.example", "three.example", "two.example"});
}

TEST_CASE("What is no host name is passed over") {
  const Tree tree;
  tree.Write("/etc/apt/sources.list",
             "deb http://10.0.0.1/x y\ndeb http:///x\ndeb https://[::1]/x\ndeb https://**.x/ y\ndeb http://" +
                 std::string(300, 'a') + "/\ndeb http://ok.example:99999/ x\n");
  CHECK(tree.Hosts("apt").size() <= 1);  // the wildcard, which reads as a pattern, must not be one
  for (const std::string& host : tree.Hosts("apt")) CHECK(host.find('*') == std::string::npos);
}

}  // namespace
}  // namespace mxc::host
