#include "linux_runtime/host/configured_hosts.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "shared/policy/domain.h"

namespace mxc::host {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostBytes = size_t{1} << 20, kMostHosts = 64;

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::string text(kMostBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

// "host" or "host:port" of the URL that starts here, behind its "//".
std::string HostAt(std::string_view text) {
  std::string_view authority = text.substr(0, text.find_first_of("/ \t\r\n\"'#?,;])"));
  if (const size_t user = authority.rfind('@'); user != std::string_view::npos) authority.remove_prefix(user + 1);
  return policy::LowerCase(authority);
}

void AddUrls(std::string_view text, std::vector<std::string>& hosts) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    for (size_t at = text.find(scheme); at != std::string_view::npos; at = text.find(scheme, at + 1)) {
      std::string host = HostAt(text.substr(at + scheme.size()));
      const Result<policy::DomainPattern> pattern = policy::ParseDomainPattern(host);
      const bool plain = pattern.ok() && pattern->match == policy::DomainMatch::kExact;
      if (plain) hosts.push_back(std::move(host));
    }
  }
}

bool IsComment(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t");
  return first == std::string_view::npos || line[first] == '#' || line[first] == ';';
}

// The URLs of the lines that aren't comments and, where keys are named, have one of them; or go on such a line.
void AddLines(const std::string& text, std::initializer_list<std::string_view> keys, std::vector<std::string>& hosts) {
  bool taken = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    if (IsComment(line)) continue;
    const bool goes_on = line.front() == ' ' || line.front() == '\t';
    const auto has = [&](std::string_view key) { return line.find(key) != std::string_view::npos; };
    if (!goes_on) taken = keys.size() == 0 || std::any_of(keys.begin(), keys.end(), has);
    if (taken) AddUrls(line, hosts);
  }
}

// npm's registry, where nobody configured another, stands in its own source: `default: 'https://…'` behind `'registry'`.
void AddBuiltInRegistry(const std::string& home, const std::string& root, std::vector<std::string>& hosts) {
  std::vector<std::string> places = {root + "/usr/share/nodejs", root + "/usr/lib/node_modules/npm/node_modules",
                                     root + "/usr/local/lib/node_modules/npm/node_modules"};
  std::error_code none;
  for (const auto& version : fs::directory_iterator(home + "/.nvm/versions/node", none)) {
    places.push_back(version.path().string() + "/lib/node_modules/npm/node_modules");
  }
  for (const std::string& place : places) {
    for (const char* file : {"/@npmcli/config/lib/definitions/definitions.js", "/@npmcli/config/lib/defaults.js"}) {
      const std::string text = ReadText(place + file);
      for (const std::string_view start : {"define('registry'", "  registry:"}) {
        const size_t at = text.find(start);
        if (at != std::string::npos) AddUrls(std::string_view(text).substr(at, 200), hosts);
      }
    }
  }
}

void AddAptSources(const std::string& root, std::vector<std::string>& hosts) {
  AddLines(ReadText(root + "/etc/apt/sources.list"), {}, hosts);
  std::error_code none;
  for (const auto& file : fs::directory_iterator(root + "/etc/apt/sources.list.d", none)) {
    const std::string extension = file.path().extension();
    if (extension == ".list") AddLines(ReadText(file.path()), {}, hosts);
    if (extension == ".sources") AddLines(ReadText(file.path()), {"URIs:"}, hosts);
  }
}

}  // namespace

std::vector<std::string> ConfiguredHosts(std::string_view tool, const std::string& home, const std::string& root) {
  std::vector<std::string> hosts;
  if (tool == "pip") {
    for (const std::string& file : {root + "/etc/pip.conf", root + "/etc/uv/uv.toml", home + "/.config/pip/pip.conf",
                                    home + "/.pip/pip.conf", home + "/.config/uv/uv.toml"}) {
      AddLines(ReadText(file), {"index-url", "url", "find-links"}, hosts);
    }
  } else if (tool == "npm") {
    for (const std::string& file : {root + "/etc/npmrc", root + "/usr/etc/npmrc", home + "/.npmrc"}) {
      AddLines(ReadText(file), {"registry"}, hosts);
    }
    if (hosts.empty()) AddBuiltInRegistry(home, root, hosts);
  } else if (tool == "cargo") {
    for (const char* file : {"/.cargo/config.toml", "/.cargo/config"}) {
      AddLines(ReadText(home + file), {"index", "registry"}, hosts);
    }
  } else if (tool == "apt") {
    AddAptSources(root, hosts);
  }
  std::sort(hosts.begin(), hosts.end());
  hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
  if (hosts.size() > kMostHosts) hosts.resize(kMostHosts);
  return hosts;
}

}  // namespace mxc::host
