// The texts of cgroup files that count: text in, values out. What is no line of the expected form is skipped.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/cgroup/stats.h"

namespace mxc::cgroup {

// Lines of "key number": memory.stat, cpu.stat.
std::map<std::string, uint64_t> ParseFlat(std::string_view text);
// Numbers separated by blanks: cpuacct.usage_percpu.
std::vector<uint64_t> ParseNumbers(std::string_view text);
// "0-3,7" of cpuset.cpus. At most 65,536 numbers.
std::vector<uint16_t> ParseRanges(std::string_view text);
// "8:0 Read 4096", and a last "Total 4096" of v1's blkio files, which is left out.
std::vector<BlockCount> ParseBlkio(std::string_view text);
// "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" of v2's io.stat.
void ParseIoStat(std::string_view text, Stats& stats);
// "cpu user system" and one line each processor, nanoseconds: v1's cpuacct.usage_all.
void ParseUsageAll(std::string_view text, Stats& stats);
// "mlx5_0 hca_handle=2 hca_object=max" of rdma.current and rdma.max.
std::vector<RdmaCount> ParseRdma(std::string_view text);

}  // namespace mxc::cgroup
