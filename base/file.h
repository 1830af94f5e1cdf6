// base/file.h -- whole small files: read with a bound, replaced so that a crash leaves old or new.
#ifndef CASEMATE_BASE_FILE_H
#define CASEMATE_BASE_FILE_H
#include "base/arena.h"
#include "base/err.h"

// The content of a file, of at most `limit` bytes; "-" reads standard input.
// Fails: ERR_NOT_FOUND, ERR_IO "<path>: <why>", ERR_LIMIT "<path>: larger than <limit> bytes".
MUST_CHECK bool file_read(struct bytes *out, const char *path, size_t limit, struct arena *arena,
                          struct err *err);

// Reads an open descriptor to its end.
MUST_CHECK bool file_read_fd(struct bytes *out, int fd, const char *name, size_t limit,
                             struct arena *arena, struct err *err);

// Writes a temporary neighbour, syncs it, renames it over `path`, syncs the folder; "-" writes
// standard output. `mode` as in open(2).
// Fails: ERR_IO "<path>: <why>"; `path` is then as it was.
MUST_CHECK bool file_replace(const char *path, struct bytes content, unsigned mode,
                             struct err *err);

// The same where no file may be lost: `path` must not be there.
// Fails: ERR_EXISTS "<path>: is there already", ERR_IO.
MUST_CHECK bool file_create(const char *path, struct bytes content, unsigned mode, struct err *err);

// All of `content`, over short writes and interruptions.
MUST_CHECK bool file_write_fd(int fd, const char *name, struct bytes content, struct err *err);

#endif
