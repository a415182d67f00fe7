#include "shared/report/exit_report.h"

#include <doctest/doctest.h>

#include "shared/report/exit_report_samples.h"

namespace mxc::report {
namespace {

TEST_CASE("times are UTC with microseconds") {
  CHECK(IsoTime(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(IsoTime(-1) == "1969-12-31T23:59:59.999999Z");
  CHECK(IsoTime(951'782'400'000'000) == "2000-02-29T00:00:00.000000Z");
  CHECK(IsoTime(1'795'473'903'123'456) == "2026-11-23T22:45:03.123456Z");
  CHECK(IsoTime(4'107'542'400'000'000) == "2100-03-01T00:00:00.000000Z");
}

TEST_CASE("a report is plain ASCII whatever is in it") {
  for (const ExitReport& report : SampleReports()) {
    const std::string json = ToJson(report);
    for (const char c : json) CHECK((c == '\n' || (c >= 0x20 && c < 0x7f)));
    CHECK(json.back() == '\n');
  }
}

TEST_CASE("names that are not UTF-8 keep their bytes") {
  const std::string json = ToJson(SampleReports()[3]);
  CHECK(json.find(R"("run": "\\xff\\xfe")") != std::string::npos);
  CHECK(json.find(R"("path": "/tmp/\\xc3")") != std::string::npos);
  CHECK(json.find(R"(\u001b]52;c;x\u0007\u009b\u007f\"\\\n\u202e)") != std::string::npos);
}

TEST_CASE("how a run ended stands in one place") {
  const std::string json = ToJson(SampleReports()[1]);
  CHECK(json.find(R"("how": "signaled")") != std::string::npos);
  CHECK(json.find(R"("exitCode": 137)") != std::string::npos);
  CHECK(json.find(R"("signal": 9)") != std::string::npos);
  CHECK(json.find(R"("outOfMemory": true)") != std::string::npos);
}

}  // namespace
}  // namespace mxc::report
