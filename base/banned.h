// base/banned.h -- functions that nobody may call here: unbounded, not reentrant, or locale-bound.
// The headers that declare them come first, so that only new uses are refused.
#ifndef CASEMATE_BASE_BANNED_H
#define CASEMATE_BASE_BANNED_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// For clang they are macros when _FORTIFY_SOURCE is set.
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncat stpcpy sprintf vsprintf gets strtok atoi atol atoll atof
#pragma GCC poison rand srand gmtime localtime ctime asctime tmpnam mktemp system popen

#endif
