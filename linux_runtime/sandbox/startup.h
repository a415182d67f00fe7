// What a program that makes containers does first.
#pragma once

#include "linux_runtime/sandbox/apply.h"

namespace mxc::sandbox {

// Before anything is opened: a file of ours must not land on a standard stream that the caller had closed. False: one is
// closed, and /dev/null can't take its place.
bool FillStandardStreams();

// What a start allocates, in one system call in place of a fault for every page. Without MADV_POPULATE_WRITE (before Linux
// 5.14) nothing is different.
void PopulateHeap();

// The memory that holds the arguments, one after the other.
ArgvArea AreaOf(int argc, char** argv);

}  // namespace mxc::sandbox
