/* A door: one way out of a sandbox, tried from inside. Each prints one line on stdout: "shut: REASON" or "OPEN: WHAT".
 * Plain C with raw system calls: what an attacker has, with no library between that would mask or change an argument. */
#ifndef TESTS_ESCAPE_DOOR_H
#define TESTS_ESCAPE_DOOR_H

struct Door {
  const char* name;
  void (*attempt)(int count, char** arguments); /* what follows NAME on the command line */
};

/* Tables, ended by an entry without a name. */
extern const struct Door kProcDoors[], kCallDoors[], kSocketDoors[], kFileDoors[], kMountDoors[], kLimitDoors[],
    kStateDoors[];

void Shut(const char* format, ...) __attribute__((format(printf, 1, 2)));
void Open(const char* format, ...) __attribute__((format(printf, 1, 2)));

/* A system call as six numbers; the result or -errno. Arguments keep all 64 bits. */
long Call(long number, long a, long b, long c, long d, long e, long f);

/* Shut when `result` is a refusal (EPERM, EACCES, ENOSYS, EAFNOSUPPORT, EPROTONOSUPPORT, EROFS, EBUSY, ENOENT …), open when
 * it is a success or an error that is only met past the gate (EFAULT, EINVAL, EBADF …). */
void Judge(long result, const char* what);
/* As Judge, but only a success is an open door. */
void JudgeSuccess(long result, const char* what);

#endif
