// cli/line_file.h -- the lines of a file that may be of any length, one after the other.
#ifndef CASEMATE_CLI_LINE_FILE_H
#define CASEMATE_CLI_LINE_FILE_H
#include "base/err.h"

#define LINE_FILE_MAX 65537 // bytes of a line; what is longer comes in pieces of that length

struct line_file {
    const char *path;
    int fd;
    uint8_t mem[2 * LINE_FILE_MAX];
    size_t start, end; // what is read and not yet taken
    bool at_eof;
};

// "-" is standard input. Close it in either case. Fails: ERR_NOT_FOUND, ERR_IO.
MUST_CHECK bool line_file_open(struct line_file *f, const char *path, struct err *err);
void line_file_close(struct line_file *f);

// The next line, borrowed until the next call. *more: there is one. *is_whole: an LF stood behind it.
// Fails: ERR_IO.
MUST_CHECK bool line_file_next(struct line_file *f, struct bytes *line, bool *is_whole, bool *more,
                               struct err *err);

#endif
