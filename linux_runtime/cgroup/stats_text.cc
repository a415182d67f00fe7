#include "linux_runtime/cgroup/stats_text.h"

#include <charconv>
#include <limits>
#include <optional>

namespace mxc::cgroup {
namespace {

constexpr size_t kMostNumbers = 65536;

// The next piece of `rest` that isn't empty, up to any of `separators`; "" at the end.
std::string_view Next(std::string_view& rest, const char* separators) {
  rest.remove_prefix(std::min(rest.find_first_not_of(separators), rest.size()));
  std::string_view piece = rest.substr(0, rest.find_first_of(separators));
  rest.remove_prefix(piece.size());
  return piece;
}

template <class T = uint64_t>
std::optional<T> Number(std::string_view text) {
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "8:0".
bool Device(std::string_view text, BlockCount& count) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  auto major = Number(text.substr(0, colon)), minor = Number(text.substr(colon + 1));
  if (!major || !minor) return false;
  count.major = *major;
  count.minor = *minor;
  return true;
}

}  // namespace

std::map<std::string, uint64_t> ParseFlat(std::string_view text) {
  std::map<std::string, uint64_t> values;
  while (!text.empty()) {
    std::string_view line = Next(text, "\n");
    std::string_view key = Next(line, " ");
    if (auto number = Number(Next(line, " "))) values[std::string(key)] = *number;
  }
  return values;
}

std::vector<uint64_t> ParseNumbers(std::string_view text) {
  std::vector<uint64_t> numbers;
  for (std::string_view word = Next(text, " \n"); !word.empty(); word = Next(text, " \n")) {
    if (auto number = Number(word)) numbers.push_back(*number);
  }
  return numbers;
}

std::vector<uint16_t> ParseRanges(std::string_view text) {
  std::vector<uint16_t> numbers;
  for (std::string_view word = Next(text, ",\n "); !word.empty(); word = Next(text, ",\n ")) {
    size_t dash = word.find('-');
    auto first = Number<uint16_t>(word.substr(0, dash));
    auto last = dash == std::string_view::npos ? first : Number<uint16_t>(word.substr(dash + 1));
    if (!first || !last) continue;
    for (uint32_t i = *first; i <= *last && numbers.size() < kMostNumbers; ++i)
      numbers.push_back(static_cast<uint16_t>(i));
  }
  return numbers;
}

std::vector<BlockCount> ParseBlkio(std::string_view text) {
  std::vector<BlockCount> counts;
  while (!text.empty()) {
    std::string_view line = Next(text, "\n");
    BlockCount count;
    if (!Device(Next(line, " "), count)) continue;
    std::string_view op = Next(line, " "), value = Next(line, " ");
    // blkio.time and blkio.sectors have no operation.
    if (value.empty()) std::swap(op, value);
    auto number = Number(value);
    if (!number) continue;
    count.op = op;
    count.value = *number;
    counts.push_back(std::move(count));
  }
  return counts;
}

void ParseIoStat(std::string_view text, Stats& stats) {
  struct Key {
    std::string_view name;
    const char* op;
    std::vector<BlockCount> Stats::*list;
  };
  static constexpr Key kKeys[] = {
      {"rbytes", "Read", &Stats::io_service_bytes},    {"wbytes", "Write", &Stats::io_service_bytes},
      {"dbytes", "Discard", &Stats::io_service_bytes}, {"rios", "Read", &Stats::io_serviced},
      {"wios", "Write", &Stats::io_serviced},          {"dios", "Discard", &Stats::io_serviced},
  };
  while (!text.empty()) {
    std::string_view line = Next(text, "\n");
    BlockCount count;
    if (!Device(Next(line, " "), count)) continue;
    for (std::string_view pair = Next(line, " "); !pair.empty(); pair = Next(line, " ")) {
      size_t equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      auto number = Number(pair.substr(equals + 1));
      for (const Key& key : kKeys) {
        if (!number || pair.substr(0, equals) != key.name) continue;
        count.op = key.op;
        count.value = *number;
        (stats.*key.list).push_back(count);
      }
    }
  }
}

void ParseUsageAll(std::string_view text, Stats& stats) {
  while (!text.empty()) {
    std::string_view line = Next(text, "\n");
    auto cpu = Number(Next(line, " ")), user = Number(Next(line, " ")), system = Number(Next(line, " "));
    if (!cpu || !user || !system || stats.cpu_each_user.size() >= kMostNumbers) continue;
    stats.cpu_each_user.push_back(*user);
    stats.cpu_each_kernel.push_back(*system);
  }
}

std::vector<RdmaCount> ParseRdma(std::string_view text) {
  std::vector<RdmaCount> counts;
  while (!text.empty()) {
    std::string_view line = Next(text, "\n");
    RdmaCount count;
    count.device = Next(line, " ");
    for (std::string_view pair = Next(line, " "); !pair.empty(); pair = Next(line, " ")) {
      size_t equals = std::min(pair.find('='), pair.size() - 1);
      std::string_view value = pair.substr(equals + 1);
      auto number = value == "max" ? std::numeric_limits<uint32_t>::max() : Number<uint32_t>(value);
      if (!number) continue;
      if (pair.starts_with("hca_handle=")) count.hca_handles = *number;
      if (pair.starts_with("hca_object=")) count.hca_objects = *number;
    }
    if (!count.device.empty()) counts.push_back(std::move(count));
  }
  return counts;
}

}  // namespace mxc::cgroup
