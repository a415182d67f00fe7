// The lines for drives are made after WSL's source, not recorded on Windows: 9p with aname=drvfs;path=… is what
// src/linux/init/drvfs.cpp mounts. What virtiofs mounts show as their source is not known; without X:\ they are
// refused.
#include "linux_runtime/relay/drive_mount.h"

#include <doctest/doctest.h>

namespace mxc::relay {
namespace {

const std::string kRoot = "1 0 8:48 / / rw,relatime - ext4 /dev/sdd rw\n";
const std::string kAname = "rw,dirsync,aname=drvfs;path=C:\\;uid=1000;gid=1000;symlinkroot=/mnt/,mmap,trans=fd,rfd=8";

// A 9p mount of id 5 at `point`.
std::string Line(const std::string& point, const std::string& source, const std::string& options,
                 const std::string& root = "/") {
  return "5 1 0:52 " + root + " " + point + " rw,noatime - 9p " + source + " " + options + "\n";
}

Result<MountEntry> Find(std::string_view text, char drive = 'C') {
  auto mounts = ParseMountinfo(text);
  REQUIRE_MESSAGE(mounts.ok(), mounts.error().message());
  return FindDriveMount(*mounts, drive, DriveTypes());
}

TEST_CASE("a drive is found by what is mounted") {
  const struct {
    std::string text;
    const char* point;
  } table[] = {
      {kRoot + Line("/mnt/c", "C:\\134", kAname), "/mnt/c"},
      {kRoot + Line("/mnt/c", "drvfs", kAname), "/mnt/c"},
      {kRoot + Line("/c", "C:\\134", kAname), "/c"},
      {kRoot + Line("/win\\040drives/c", "C:\\134", "rw,aname=drvfs;path=C:\\;symlinkroot=/win drives/"),
       "/win drives/c"},
      {kRoot + Line("/a\\134b/c", "C:\\134", "rw"), "/a\\b/c"},
      {kRoot + Line("/anywhere", "c:", "rw,path=c:"), "/anywhere"},
      {kRoot + Line("/mnt/d", "C:\\134", kAname), "/mnt/d"},  // the folder's name means nothing
      {kRoot + Line("/mnt/c", "C:\\134", "rw,aname=drvfs;path=C:\\134;uid=0"), "/mnt/c"},
      {kRoot + "5 1 0:52 / /mnt/c rw - drvfs C:\\134 rw\n", "/mnt/c"},
      {kRoot + "5 1 0:52 / /mnt/c rw - virtiofs C:\\134 rw\n", "/mnt/c"},
      // Two mounts of one drive, of which one is covered.
      {kRoot + Line("/mnt/c", "C:\\134", kAname) + "6 5 0:9 / /mnt/c rw - tmpfs x rw\n" +
           "7 1 0:53 / /other rw - 9p C:\\134 rw\n",
       "/other"},
  };
  for (const auto& row : table) {
    CAPTURE(row.text);
    const auto mount = Find(row.text);
    REQUIRE_MESSAGE(mount.ok(), mount.error().message());
    CHECK(mount->mount_point == row.point);
  }
}

TEST_CASE("what only looks like the drive is passed over") {
  const struct {
    std::string text;
    const char* why;
  } table[] = {
      {"", "no mount of this distribution"},
      {kRoot, "type 9p, drvfs, virtiofs with C:\\ as its source"},
      {kRoot + Line("/mnt/c", "D:\\134", "rw,aname=drvfs;path=D:\\"), "no mount"},
      {kRoot + Line("/mnt/c", "C:\\134Users", "rw,aname=drvfs;path=C:\\Users"), "no mount"},
      {kRoot + Line("/mnt/c", "C:\\134134", "rw,aname=drvfs;path=C:\\134"), "no mount"},  // the folder named 134
      {kRoot + Line("/mnt/c", "drvfs", "rw,aname=drvfs;path=C:\\134"), "no mount"},
      {kRoot + Line("/mnt/c", "\\134\\134srv\\134c", "rw,aname=drvfs;path=UNC\\srv\\c"), "no mount"},
      {kRoot + Line("/mnt/c", "drvfs", "rw,aname=drvfs;xpath=C:\\"), "no mount"},
      {kRoot + Line("/mnt/c", "C:\\134x", kAname), "contradict"},
      {kRoot + Line("/mnt/c", "C:\\134", "rw,aname=drvfs;path=D:\\"), "contradict"},
      {kRoot + Line("/mnt/c", "drvfs", "rw,path=C:\\,path=D:\\"), "contradict"},
      {kRoot + Line("/mnt/c", "drvfs", "rw,aname=drvfs;path=D:\\;symlinkroot=/x;path=C:\\"), "contradict"},
      {kRoot + Line("/mnt/c", "C:\\134", kAname, "/Users"), "only /Users"},
      {kRoot + "5 1 0:52 / /mnt/c rw - tmpfs C:\\134 rw\n", "no mount"},
      {kRoot + "5 1 0:52 / /mnt/c rw - fuse.9p C:\\134 rw\n", "no mount"},
      {kRoot + Line("/mnt/c", "C:\\134", kAname) + "6 5 0:9 / /mnt/c rw - tmpfs x rw\n", "mounted over it"},
      {kRoot + Line("/mnt/c", "C:\\134", kAname) + "6 1 0:9 / /mnt rw - tmpfs x rw\n", "on the way"},
      {Line("/mnt/c", "C:\\134", kAname), "no path"},
  };
  for (const auto& row : table) {
    CAPTURE(row.text);
    const auto mount = Find(row.text);
    REQUIRE_FALSE(mount.ok());
    CHECK(mount.error().code() == Code::kRefused);
    CAPTURE(mount.error().message());
    CHECK(mount.error().message().find(row.why) != std::string::npos);
    CHECK(mount.error().hint().find("automount") != std::string::npos);
  }
}

TEST_CASE("each drive has its own mount") {
  const std::string text =
      kRoot + Line("/mnt/c", "C:\\134", kAname) + "6 1 0:53 / /mnt/d rw - 9p D:\\134 rw,aname=drvfs;path=D:\\;uid=0\n";
  CHECK(Find(text, 'C')->mount_point == "/mnt/c");
  CHECK(Find(text, 'D')->mount_point == "/mnt/d");
  CHECK_FALSE(Find(text, 'E').ok());
}

}  // namespace
}  // namespace mxc::relay
