// Prints the sample reports as one JSON array, for the schema test.
#include "shared/report/exit_report_samples.h"

#include <cstdio>

int main() {
  const char* separator = "[";
  for (const mxc::report::ExitReport& report : mxc::report::SampleReports()) {
    std::printf("%s%s", separator, mxc::report::ToJson(report).c_str());
    separator = ",";
  }
  std::printf("]\n");
}
