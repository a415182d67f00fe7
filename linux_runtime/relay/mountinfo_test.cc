#include "linux_runtime/relay/mountinfo.h"

#include <doctest/doctest.h>

namespace mxc::relay {
namespace {

std::vector<MountEntry> Parse(std::string_view text) {
  auto mounts = ParseMountinfo(text);
  REQUIRE_MESSAGE(mounts.ok(), mounts.error().message());
  return std::move(mounts).value();
}

TEST_CASE("the fields of a line, without their escapes") {
  const auto mounts = Parse(
      "36 35 98:0 / /mnt/a\\040b\\011c\\012d\\134e rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=continue\n"
      "37 36 0:52 /x\\040y /w - rw - 9p  rw,aname=drvfs;path=C:\\;symlinkroot=/win drives/,trans=fd\n"
      "38 36 0:4 net:[4026531833] /run/netns/x rw - nsfs nsfs rw\n"
      "39 36 0:5 / /gone//deleted rw - fuse.x \\\\server\\share rw");
  REQUIRE(mounts.size() == 4);
  CHECK(mounts[0] == MountEntry{36, 35, 98, 0, "/", "/mnt/a b\tc\nd\\e", "ext4", "/dev/root", "rw,errors=continue"});
  CHECK(mounts[1].root == "/x y");
  CHECK(mounts[1].source.empty());
  CHECK(mounts[1].options == "rw,aname=drvfs;path=C:\\;symlinkroot=/win drives/,trans=fd");
  CHECK(mounts[2].root == "net:[4026531833]");
  CHECK(mounts[3].mount_point == "/gone//deleted");
  CHECK(mounts[3].source == "\\\\server\\share");
  CHECK(Parse("").empty());
}

TEST_CASE("a line that isn't understood is an error") {
  for (const char* line : {
           "\n",
           "36",
           "36 35 98:0 / /mnt rw - ext4 /dev/root",
           "36 35 98:0 / /mnt rw ext4 /dev/root rw",
           "x 35 98:0 / /mnt rw - ext4 /dev/root rw",
           "36 -1 98:0 / /mnt rw - ext4 /dev/root rw",
           "36 35 980 / /mnt rw - ext4 /dev/root rw",
           "36 35 98:0x / /mnt rw - ext4 /dev/root rw",
           "36 99999999999999999999 98:0 / /mnt rw - ext4 /dev/root rw",
           "36 35 98:0 / mnt rw - ext4 /dev/root rw",
           "36 35 98:0  /mnt rw - ext4 /dev/root rw",
           "36 35 98:0 / /mnt rw -  /dev/root rw",
           "36 35 98:0 / /mnt rw  - ext4 /dev/root rw",
           "36 35 98:0 / /mn\\t rw - ext4 /dev/root rw",
           "36 35 98:0 / /mnt\\ rw - ext4 /dev/root rw",
           "36 35 98:0 / /mnt\\400 rw - ext4 /dev/root rw",
           "36 35 98:0 / /mnt\\000x rw - ext4 /dev/root rw",
           "36 35 98:0 / /mnt rw - ext4 a\\000 rw",
           "36 35 98:0 / /a rw - ext4 /dev/root rw\n36 35 98:0 / /b rw - ext4 /dev/root rw",
           "36 35 98:0 / /a rw - ext4 /dev/root rw\n\n37 35 98:0 / /b rw - ext4 /dev/root rw",
       }) {
    CAPTURE(line);
    CHECK_FALSE(ParseMountinfo(line).ok());
  }
  CHECK_FALSE(ParseMountinfo(std::string_view("36 35 98:0 / /a rw - ext4 x r\0w", 31)).ok());
}

// Each text: the mount with the id 5 lies at /mnt/c.
TEST_CASE("a mount is hidden by what lies on it or on the way to it") {
  const std::string root = "1 0 8:0 / / rw - ext4 x rw\n", mnt = "2 1 0:1 / /mnt rw - tmpfs x rw\n";
  const std::string drive = "5 1 0:9 / /mnt/c rw - 9p C:\\134 rw\n", below = "5 2 0:9 / /mnt/c rw - 9p C:\\134 rw\n";
  const struct {
    std::string text;
    const char* why;
  } table[] = {
      {root + drive, ""},
      {drive + root, ""},
      {root + mnt + below, ""},
      {root + drive + "6 5 0:2 / /mnt/c/proj rw - tmpfs x rw\n", ""},  // the walk finds that one
      {root + drive + "6 1 0:2 / /mnt/cd rw - tmpfs x rw\n", ""},
      {root + drive + "6 1 0:2 / /mn rw - tmpfs x rw\n", ""},
      {root + drive + "6 1 0:2 / /mnt/d rw - 9p D:\\134 rw\n", ""},
      {root + drive + "6 5 0:2 / /mnt/c rw - tmpfs x rw\n", "mounted over it (tmpfs at /mnt/c)"},
      {"6 5 0:2 / /mnt/c rw - tmpfs x rw\n" + drive + root, "mounted over it"},
      {root + drive + mnt, "a folder on the way to it (tmpfs at /mnt)"},
      {root + mnt + drive, "a folder on the way"},  // the order of lines proves nothing, the parent does
      {root + drive + "6 1 0:2 / /mnt/c rw - tmpfs x rw\n", "on the same folder"},
      {root + mnt + below + "6 2 0:3 / /mnt rw - tmpfs x rw\n", "a folder on the way"},
      {root + drive + "6 1 0:3 / / rw - overlay x rw\n", "a folder on the way"},
      {root + mnt + below + "6 1 0:3 / / rw - overlay x rw\n", "a folder on the way"},
      {"1 0 0:1 / / rw - rootfs x rw\n7 1 8:0 / / rw - ext4 x rw\n5 7 0:9 / /mnt/c rw - 9p x rw\n", ""},
      {"1 1 0:1 / / rw - rootfs x rw\n5 1 0:9 / /mnt/c rw - 9p x rw\n", ""},
      {drive, "no path"},
      {"5 5 0:9 / /mnt/c rw - 9p x rw\n", "no path"},
      {"2 5 0:1 / /mnt rw - tmpfs x rw\n" + below, "no path"},  // parents in a circle
      {"2 5 0:1 / /mnt/c rw - tmpfs x rw\n" + below, "no path"},
      {root + "2 1 0:1 / /srv rw - tmpfs x rw\n" + below, "no path"},  // not below its parent
      {root + "2 1 0:1 / /mnt//deleted rw - tmpfs x rw\n" + below, "no path"},
      {root + drive + "6 5 0:2 / /mnt/c rw - tm\x1B[2Jpfs x rw\n", "tm\\x1b[2Jpfs"},
  };
  for (const auto& row : table) {
    CAPTURE(row.text);
    const auto mounts = Parse(row.text);
    const MountEntry* mount = FindMount(mounts, 5);
    REQUIRE(mount != nullptr);
    const std::string why = WhyHidden(mounts, *mount);
    CAPTURE(why);
    CHECK(why.empty() == (row.why[0] == '\0'));
    CHECK(why.find(row.why) != std::string::npos);
  }
}

TEST_CASE("the chain of a mount leads over its parents to the root") {
  const auto mounts = Parse(
      "1 0 8:0 / / rw - ext4 x rw\n2 1 0:1 / /mnt rw - tmpfs x rw\n3 2 0:2 / /mnt/a rw - ext4 x rw\n"
      "4 9 0:2 / /x rw - ext4 x rw\n");
  const auto chain = ChainOf(mounts, mounts[2]);
  REQUIRE(chain.size() == 3);
  CHECK(chain[0]->id == 3);
  CHECK(chain[1]->id == 2);
  CHECK(chain[2]->id == 1);
  CHECK(ChainOf(mounts, mounts[3]).empty());
  CHECK(FindMount(mounts, 9) == nullptr);
}

}  // namespace
}  // namespace mxc::relay
