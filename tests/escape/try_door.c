/* try_door NAME [ARGUMENT…]: tries one door from inside a sandbox; `try_door` alone lists their names. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/door.h"

static void Say(const char* word, const char* format, va_list arguments) {
  printf("%s: ", word);
  vprintf(format, arguments);
  printf("\n");
  fflush(stdout);
}

void Shut(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Say("shut", format, arguments);
  va_end(arguments);
}

void Open(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  Say("OPEN", format, arguments);
  va_end(arguments);
}

long Call(long number, long a, long b, long c, long d, long e, long f) {
  long result = syscall(number, a, b, c, d, e, f);
  return result == -1 ? -errno : result;
}

void Judge(long result, const char* what) {
  switch (-result) {
    case EPERM:
    case EACCES:
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EROFS:
    case EBUSY:
    case ENOENT:
    case EXDEV:
    case ESOCKTNOSUPPORT:
    case ESRCH:
    case ELOOP:
    case ENODEV:
    case ENOTDIR:
    case ECONNREFUSED:
      Shut("%s: %s", what, strerror((int)-result));
      return;
    default:
      Open("%s: %s", what, result < 0 ? strerror((int)-result) : "success");
  }
}

void JudgeSuccess(long result, const char* what) {
  if (result >= 0)
    Open("%s", what);
  else
    Shut("%s: %s", what, strerror((int)-result));
}

int main(int count, char** arguments) {
  const struct Door* tables[] = {kProcDoors,  kCallDoors,  kSocketDoors, kFileDoors,
                                 kMountDoors, kLimitDoors, kStateDoors};
  for (unsigned table = 0; table < sizeof tables / sizeof *tables; ++table) {
    for (const struct Door* door = tables[table]; door->name != NULL; ++door) {
      if (count < 2) {
        puts(door->name);
      } else if (strcmp(door->name, arguments[1]) == 0) {
        door->attempt(count - 2, arguments + 2);
        return 0;
      }
    }
  }
  if (count < 2) return 0;
  fprintf(stderr, "try_door: no door is called %s\n", arguments[1]);
  return 2;
}
